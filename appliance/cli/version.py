# SPDX-License-Identifier: Apache-2.0
"""`orillo version`."""

from appliance.built import about, in_words
from appliance.cli.errors import Exit
from appliance.cli.text import print_json


def run(*, json: bool) -> int:
    """Print the version of the agent, and what it was built of."""
    if json:
        print_json(about())
    else:
        print(in_words("orillo"))
    return Exit.OK
