# SPDX-License-Identifier: Apache-2.0
"""`orillo-cloud bugreport show FILE`: what a device's bug report says, without unpacking it."""

import argparse
import json
import tarfile
from pathlib import Path
from typing import Any

from cloud.cli.output import print_json
from cloud.cli.verb import add_output
from cloud.faults import CommandError, Exit
from cloud.paths import CloudPaths

_FORMAT = "orillo.io/bugreport/v1"
_TOP = "orillo-bugreport/"
_LARGEST = 16_000_000


def declare(parser: argparse.ArgumentParser) -> None:
    """The file, and perhaps one of the texts in it."""
    parser.add_argument("what", choices=["show"], help="the only thing to do with one")
    parser.add_argument("file", metavar="FILE", type=Path, help="what `orillo bugreport` wrote")
    parser.add_argument("name", metavar="NAME", nargs="?", help="print this text of it")
    add_output(parser)


def run(arguments: argparse.Namespace, _paths: CloudPaths) -> int:
    """Exit code 0 if it can be read."""
    texts = read(arguments.file)
    manifest = json.loads(texts["manifest.json"])
    if arguments.name is not None:
        if arguments.name not in texts:
            raise CommandError(f"there is no {arguments.name} in it; there are: {', '.join(sorted(texts))}")
        print(texts[arguments.name])
    elif arguments.output == "json":
        print_json({"manifest": manifest, "conditions": _conditions(texts)})
    else:
        _tell(manifest, texts)
    return Exit.OK


def read(file: Path) -> dict[str, str]:
    """The texts of a report by name; nothing is written to disk. Raises `CommandError`."""
    try:
        with tarfile.open(file, mode="r:gz") as archive:
            texts = {entry.name.removeprefix(_TOP): _text(archive, entry) for entry in archive}
            manifest = json.loads(texts["manifest.json"])
            if manifest["format"] != _FORMAT:
                raise CommandError(
                    f"{file} is of the format {manifest['format']!r}: is this program too old?"
                )
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError) as error:
        raise CommandError(f"{file} is no bug report of an Orillo device: {error}") from error
    return texts


def _text(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    stream = archive.extractfile(entry) if entry.isfile() else None
    return stream.read(_LARGEST).decode(errors="replace") if stream else ""


def _conditions(texts: dict[str, str]) -> list[dict[str, Any]]:
    try:
        return list(json.loads(texts["doctor.json"])["conditions"])
    except (KeyError, ValueError, TypeError):
        return []


def _tell(manifest: dict[str, Any], texts: dict[str, str]) -> None:
    device = manifest["device"] or "a device that is not enrolled"
    print(f"{device} of {manifest['cluster'] or 'no cluster'}, {manifest['at']}")
    print(f"agent {manifest['agent']}, plan {manifest['generation']}, Linux {manifest['kernel']}")
    conditions = _conditions(texts)
    print("\nIts doctor said:" if conditions else "\nIts doctor found nothing.")
    for one in conditions:
        print(f"  {one['severity']}: {one['text']} [{one['code']}]")
        print(f"    seen: {one['evidence']}")
        print(f"    do: {one['remedy']}")
    print("\nTexts (print one with its name):")
    for name, text in sorted(texts.items()):
        print(f"  {name:24} {len(text):8} characters")
