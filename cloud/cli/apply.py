# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud apply`: keep manifests, all or nothing."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from cloud.cli.client import ask, author
from cloud.cli.output import print_json, warn
from cloud.cli.verb import add_output
from cloud.faults import CommandError, Exit
from cloud.paths import CloudPaths

_SUFFIXES = (".yaml", ".yml", ".json")


def declare(parser: argparse.ArgumentParser) -> None:
    """What to apply."""
    parser.add_argument(
        "-f",
        "--file",
        action="append",
        required=True,
        metavar="FILE|DIR|-",
        help="manifests in YAML or JSON; every such file of a folder; '-' for stdin; repeatable",
    )
    add_output(parser)


def run(arguments: argparse.Namespace, paths: CloudPaths) -> int:
    """Read here, so that paths are the caller's; the rest is the operator's."""
    files = [file for text in arguments.file for file in _read(text)]
    result = ask(paths, "apply", files=files, author=author())
    warn(result["warnings"])
    if arguments.output == "json":
        print_json(result)
        return Exit.OK
    for entry in result["objects"]:
        place = f"{entry['namespace']}/" if entry["namespace"] else ""
        print(f"{entry['kind']} {place}{entry['name']} {entry['outcome']}")
    print(f"New plans: {', '.join(result['devices']) or 'none'}")
    return Exit.OK


def _read(text: str) -> Iterator[dict[str, str]]:
    if text == "-":
        yield {"name": "stdin", "text": sys.stdin.read()}
        return
    path = Path(text)
    found = _files_of(path) if path.is_dir() else [path]
    if not found:
        raise CommandError(f"{path} has no file with one of {', '.join(_SUFFIXES)}: nothing to apply")
    for file in found:
        yield {"name": str(file), "text": _text_of(file)}


def _files_of(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.suffix in _SUFFIXES and child.is_file())


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        message = f"can't read {file}: {error.strerror}. Check its name and its permissions"
        raise CommandError(message, Exit.USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 text: save it as UTF-8") from error
