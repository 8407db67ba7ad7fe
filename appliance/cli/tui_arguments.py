# SPDX-License-Identifier: Apache-2.0
"""The options of `orillo tui`, apart from it, so that the other verbs load nothing of the screens."""

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--replay", type=Path, metavar="FILE", help="show a recording, not the daemon")
    source.add_argument("--demo", action="store_true", help="show the recording that comes with the program")
    source.add_argument("--record", type=Path, metavar="FILE", help="write what the daemon says to a file")
    parser.add_argument("--enrol", action="store_true", help="begin at the screen that takes a token")
    signs = parser.add_mutually_exclusive_group()
    signs.add_argument("--ascii", action="store_true", default=None, help="nothing but ASCII")
    signs.add_argument("--unicode", dest="ascii", action="store_false", help="lines and bars in Unicode")
    parser.add_argument("--colours", choices=["none", "16", "256", "full"], help="how many the terminal has")
    parser.add_argument("--frames", type=_frames, metavar="N", help="paint at most N times a second")


def _frames(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 60:
        raise argparse.ArgumentTypeError("a number from 1 to 60")
    return int(text)
