# SPDX-License-Identifier: Apache-2.0
"""`orillo version`."""

from appliance import __version__
from appliance.cli.errors import Exit
from appliance.cli.text import print_json


def run(*, json: bool) -> int:
    """Print the version of the agent."""
    if json:
        print_json({"version": __version__})
    else:
        print(f"orillo {__version__}")
    return Exit.OK
