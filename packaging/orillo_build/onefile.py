# SPDX-License-Identifier: Apache-2.0
"""The directory of programs as one file that unpacks itself once: a script, and an archive behind it.

Nuitka's own way keeps a second process beside every one that runs, which a daemon on a gateway pays for; this
one becomes the program. The same directory gives the same file.
"""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

_SCRIPT = Path(__file__).with_name("onefile.sh")
#: Digits of the number of bytes before the archive, so that the script's length does not depend on it.
_DIGITS = 6


def make_one_file(directory: Path, target: Path, epoch: int) -> Path:
    """Write `target` from the standalone `directory`; `epoch` is the time of all that is in it."""
    archive = _archive(directory, epoch)
    script = _SCRIPT.read_text().replace("@DIGEST@", hashlib.sha256(archive).hexdigest())
    length = len(script.replace("@SKIP@", "0" * _DIGITS).encode())
    # A number that begins with a nought is an octal one to some shells; tail(1) counts from one.
    script = script.replace("@SKIP@", str(length + 1).rjust(_DIGITS))
    target.write_bytes(script.encode() + archive)
    target.chmod(0o755)
    return target


def _archive(directory: Path, epoch: int) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=9) as gz,
        tarfile.open(fileobj=gz, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(directory.rglob("*")):
            info = tar.gettarinfo(path, arcname=str(path.relative_to(directory)))
            info.uid = info.gid = 0
            info.uname = info.gname = "root"
            info.mtime = epoch
            info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
            if info.isfile():
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return packed.getvalue()
