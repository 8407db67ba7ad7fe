# SPDX-License-Identifier: Apache-2.0
"""The device's identity on disk: key, certificate, CA, and whom it trusts.

`Paths.identity` is a symbolic link to a directory that is never written again once the link points to it. So
enrolment and renewal change everything in one rename, and a power cut leaves the old identity or the new one.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from appliance.netcore.kernel.files import read, read_text, sync
from appliance.netcore.plan.identity import Identity
from appliance.paths import Paths
from appliance.sync.errors import IdentityError

_ENROL_AGAIN = "get a new token from the operator and run `orillo enroll TOKEN`"


class TrustFile(msgspec.Struct, frozen=True):
    """`trust.json`: who we are, where the control endpoint is, and whose plans we believe."""

    identity: Identity
    enroll_url: str
    control_url: str
    plan_keys: dict[str, str]
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class DeviceIdentity:
    """An enrolled device. The files are named, not held, so that no key can end in a log.

    `not_before` and `not_after` are the certificate's. `plan_keys` are as in `Trust`.
    """

    identity: Identity
    enroll_url: str
    control_url: str
    plan_keys: Mapping[str, str]
    not_before: datetime
    not_after: datetime
    key: Path
    certificate: Path
    ca: Path


def load_identity(paths: Paths) -> DeviceIdentity | None:
    """The stored identity, or None for a device that is not enrolled. Raises `IdentityError` if damaged."""
    data = read(paths.identity / "trust.json")
    if data is None:
        return None
    try:
        trust = msgspec.json.decode(data, type=TrustFile)
    except msgspec.MsgspecError as error:
        raise IdentityError(f"{paths.identity}/trust.json is damaged ({error}): {_ENROL_AGAIN}") from error
    device = _device(paths, trust)
    for file in (device.key, device.certificate, device.ca):
        if not file.is_file():
            raise IdentityError(f"{file} is missing: {_ENROL_AGAIN}")
    return device


def _device(paths: Paths, trust: TrustFile) -> DeviceIdentity:
    return DeviceIdentity(
        identity=trust.identity,
        enroll_url=trust.enroll_url,
        control_url=trust.control_url,
        plan_keys=trust.plan_keys,
        not_before=trust.not_before,
        not_after=trust.not_after,
        key=paths.identity / "key.pem",
        certificate=paths.identity / "cert.pem",
        ca=paths.identity / "ca.pem",
    )


@contextmanager
def staging(paths: Paths) -> Iterator[Path]:
    """A private directory for an identity in the making; it is gone at the end unless it was committed.

    Made before a token is spent, so that a full or read-only disk costs no token. Only one can be in the
    making: of an enrolment and a renewal at once, the second would drop what the first has made.
    """
    with _told(paths):
        paths.state.mkdir(parents=True, exist_ok=True)
    with _alone(paths):
        with _told(paths):
            staged = paths.state / f"identity-{os.urandom(6).hex()}"
            staged.mkdir(0o700)
        try:
            yield staged
        finally:
            if not _is_current(paths, staged):
                _remove(staged)


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """Hold the state directory against others who would change the identity; a crash lets go of it."""
    handle = os.open(paths.state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = "another enrolment or a renewal is under way: try again in a moment"
            raise IdentityError(text) from error
        yield
    finally:
        os.close(handle)


def write_key(staged: Path, key: bytes) -> None:
    """Put the private key into the staging directory, readable by root alone. Raises `IdentityError`."""
    try:
        _write(staged / "key.pem", key)
    except OSError as error:
        raise IdentityError(f"can't keep a key below {staged.parent}: {error.strerror}") from error


def commit(
    paths: Paths, staged: Path, trust: TrustFile, certificate: bytes, ca: Sequence[bytes]
) -> DeviceIdentity:
    """Complete the staged identity and put it in place of the one before, in one rename."""
    with _told(paths):
        _write(staged / "cert.pem", certificate)
        _write(staged / "ca.pem", b"".join(ca))
        _write(staged / "trust.json", msgspec.json.encode(trust))
        sync(staged)
        _point_to(paths, staged)
        _drop_others(paths, staged)
    return _device(paths, trust)


def believe(
    paths: Paths, device: DeviceIdentity, ca: Sequence[str], plan_keys: Mapping[str, str]
) -> DeviceIdentity:
    """The same identity with another trust, put in place of what was believed before.

    `device` itself if that is nothing new. Raises `IdentityError`; nothing has changed then.
    """
    if _words(ca) == _words([read_text(device.ca) or ""]) and dict(plan_keys) == dict(device.plan_keys):
        return device
    with staging(paths) as staged:
        held, key, leaf = load_identity(paths), read(device.key), read(device.certificate)
        if held is None or held.identity != device.identity or key is None or leaf is None:
            raise IdentityError("the device was enrolled anew meanwhile: the trust of before is not used")
        write_key(staged, key)
        stored = TrustFile(
            identity=device.identity,
            enroll_url=device.enroll_url,
            control_url=device.control_url,
            plan_keys=dict(plan_keys),
            not_before=device.not_before,
            not_after=device.not_after,
        )
        return commit(paths, staged, stored, leaf, [text.encode() for text in ca])


def _words(ca: Sequence[str]) -> list[str]:
    """Certificates to compare: PEM says the same whatever its white space."""
    return "".join(ca).split()


def forget_identity(paths: Paths) -> bool:
    """Remove the identity with all that is left of earlier ones; whether there was one."""
    with _told(paths):
        there = paths.identity.is_symlink() or paths.identity.exists()
        if paths.identity.is_symlink():
            paths.identity.unlink()
        elif there:
            _remove(paths.identity)
        _drop_others(paths, None)
        return there


def _point_to(paths: Paths, staged: Path) -> None:
    if paths.identity.is_dir() and not paths.identity.is_symlink():
        # Copied there by hand or by an image builder; it is dropped as soon as the link stands.
        paths.identity.rename(paths.state / f"identity-{staged.name}-before")
    link = paths.state / f"{staged.name}.link"
    link.symlink_to(staged.name)
    link.replace(paths.identity)
    sync(paths.state)


def _remove(directory: Path) -> None:
    """As far as it can be removed. Imported when used: `shutil` knows archives, and their compressions."""
    import shutil

    shutil.rmtree(directory, ignore_errors=True)


def _drop_others(paths: Paths, keep: Path | None) -> None:
    for path in paths.state.glob("identity-*"):
        if path.is_symlink():
            path.unlink()
        elif path != keep:
            _remove(path)


def _is_current(paths: Paths, staged: Path) -> bool:
    return paths.identity.is_symlink() and paths.identity.readlink() == Path(staged.name)


def _write(path: Path, data: bytes) -> None:
    # No rename here: nobody looks into the directory before the link points to it.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _told(paths: Paths) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror}: it needs root and a writable disk"
        raise IdentityError(f"can't keep the identity below {paths.state}: {reason}") from error
