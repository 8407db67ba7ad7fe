# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with what the owner of a device wrote."""

from appliance.netcore.errors import DoorError


class HostConfigError(DoorError):
    """The host's configuration can't be used; the text names file and key, and never a secret's value."""
