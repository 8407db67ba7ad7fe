# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud version`."""

import argparse

from appliance.built import about, in_words
from appliance.netcore.plan.model import SCHEMA
from cloud.cli.output import print_json
from cloud.cli.verb import add_output
from cloud.faults import Exit
from cloud.paths import CloudPaths


def declare(parser: argparse.ArgumentParser) -> None:
    """It has the output's form only."""
    add_output(parser)


def run(arguments: argparse.Namespace, _: CloudPaths) -> int:
    """The version of this program and of the plans that it makes."""
    facts = {**about(), "plan_schema": SCHEMA}
    if arguments.output == "json":
        print_json(facts)
    else:
        print(f"{in_words('orillo-cloud')} (plans: {SCHEMA})")
    return Exit.OK
