# SPDX-License-Identifier: Apache-2.0
"""The names of one device: in its certificate, towards the control endpoint, and in IKE.

A re-enrolled device is a new *instance*, so that revoking the one that was lost does not revoke its
successor.
"""

import re

import msgspec

from appliance.netcore.plan.values import Role

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def is_name(text: str) -> bool:
    """Whether `text` is a DNS label (RFC 1123): what clusters, nodes and communities are called."""
    return _LABEL.fullmatch(text) is not None


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who a device is. `instance` is one enrolment of it, random."""

    cluster: str
    name: str
    instance: str

    @property
    def ike_id(self) -> str:
        """The DNS SAN that charon proves to its peers."""
        return f"{self.instance}.{self.name}.{self.cluster}"

    @property
    def endpoint_name(self) -> str:
        """FabEdge's name of the same endpoint, a DNS SAN too."""
        return f"{self.cluster}.{self.name}"

    @property
    def uri(self) -> str:
        """The URI SAN that the control endpoint and the ownership streams read."""
        return f"orillo://{self.cluster}/{self.name}/{self.instance}"


def parse_uri(uri: str) -> Identity:
    """Read an identity's URI SAN; raises `ValueError` if it is not one of ours."""
    scheme, _, rest = uri.partition("://")
    parts = rest.split("/")
    if scheme != "orillo" or len(parts) != 3 or not all(is_name(part) for part in parts):
        raise ValueError(f"{uri!r} is no device identity: expected orillo://CLUSTER/NAME/INSTANCE")
    return Identity(cluster=parts[0], name=parts[1], instance=parts[2])


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a device is for, and where it stands: the topology that services are ordered by."""

    role: Role
    site: str
    region: str = ""
    zone: str = ""
