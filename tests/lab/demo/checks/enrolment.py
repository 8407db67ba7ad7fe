# SPDX-License-Identifier: Apache-2.0
"""`enrolled`: every device came in with a one-off token, and keys stay where they were made."""

import base64
import re
from pathlib import Path

from tests.lab.command import run
from tests.lab.demo.check import expect
from tests.lab.demo.world import World

_PEM = re.compile(rb"-----BEGIN (?:EC )?PRIVATE KEY-----(.*?)-----END", re.DOTALL)
#: In DER an EC key's 32 secret bytes are an octet string after the version 1 (RFC 5915, section 3).
_SECRET = re.compile(rb"\x02\x01\x01\x04\x20(.{32})", re.DOTALL)


def enrolled(world: World) -> str:
    """Who is in, that a second use is refused, and where the private keys are."""
    for name, entry in _listed(world).items():
        instance = world.devices[name].status()["identity"]["instance"]
        expect(entry["state"] == "enrolled", f"the operator lists {name} as {entry['state']}")
        expect(entry["instance"] == instance, f"the operator knows another instance of {name} than itself")
        expect(bool(entry["last_seen"]), f"the operator never heard of {name} after its enrolment")
    refusal = _use_again(world)
    keys = _keys_at_home(world)
    return f"{len(world.devices)} devices; second use: {refusal!r}; {keys} keys, each at home only"


def _listed(world: World) -> dict[str, dict[str, str]]:
    """The operator's devices by name; all of ours have to be there."""
    entries = {entry["name"]: entry for entry in world.operator.read("device", "list")["devices"]}
    missing = sorted(set(world.devices) - set(entries))
    expect(not missing, f"`orillo-cloud device list` lacks {', '.join(missing)}")
    return entries


def _use_again(world: World) -> str:
    """Spend shop1's token once more, as a thief would on a device of his own."""
    shop = world.devices["shop1"]
    thief = shop.root / "thief"
    result = shop.installation.at(thief).call("enroll", "-", feed=world.tokens["shop1"] + "\n")
    expect(not result.ok, "a second use of shop1's token was accepted")
    expect("used" in result.text, f"the second use was refused without saying why: {result.text}")
    expect(not _key_files(thief), "the refused device kept a key")
    return result.text.splitlines()[-1][:90]


def _keys_at_home(world: World) -> int:
    """See that no device's secret bytes are in any file but its own; returns how many keys there are."""
    secrets = {name: _secret_of(device.state) for name, device in world.devices.items()}
    expect(len(set(secrets.values())) == len(secrets), "two devices have the same private key")
    for path in _files(world.workdir):
        content = path.read_bytes()
        owners = [name for name, secret in secrets.items() if _holds(content, secret)]
        strangers = [name for name in owners if not path.is_relative_to(world.devices[name].state)]
        expect(not strangers, f"{path} holds the private key of {', '.join(strangers)}")
        if owners:
            mode = path.stat().st_mode & 0o777
            expect(mode & 0o077 == 0, f"{path} is open to other users ({mode:o})")
    return len(secrets)


def _secret_of(state: Path) -> bytes:
    """The device's secret bytes; that they are found is this check's positive control."""
    files = _key_files(state)
    expect(len(files) == 1, f"{len(files)} private keys below {state} instead of one")
    pem = run("openssl", "pkey", "-in", str(files[0]), "-outform", "PEM")
    found = _PEM.search(pem.encode())
    der = base64.b64decode(found.group(1)) if found else b""
    secret = _SECRET.search(der)
    expect(secret is not None, f"{files[0]} is no EC key")
    return secret.group(1) if secret else b""


def _holds(content: bytes, secret: bytes) -> bool:
    """Whether the bytes are in `content`, raw, in hex, or in a PEM block."""
    if secret in content or secret.hex().encode() in content.lower():
        return True
    return any(secret in base64.b64decode(found.group(1)) for found in _PEM.finditer(content))


def _key_files(directory: Path) -> list[Path]:
    return [path for path in _files(directory) if _PEM.search(path.read_bytes())]


def _files(directory: Path) -> list[Path]:
    return [path for path in sorted(directory.rglob("*")) if path.is_file() and path.suffix != ".pcap"]
