# SPDX-License-Identifier: Apache-2.0
"""A build for another kind of machine: this very build, run in a Debian of that architecture under emulation.

Emulated are Python and Nuitka. The compiler, which would take most of the time, is the native cross compiler
under the names of the emulated one: the kernel runs each program as what it is.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from orillo_build.compiler import SOURCE, BuildError

#: What GNU calls the machine, by Debian's name for it; and the kernel's entry for its emulator.
_TRIPLETS = {"arm64": "aarch64-linux-gnu", "amd64": "x86_64-linux-gnu"}
_EMULATORS = {"arm64": "qemu-aarch64", "amd64": "qemu-x86_64"}
_SUITE = "bookworm"
_PACKAGES = (
    "ca-certificates",
    "ccache",
    "gcc",
    "libpython3-dev",
    "patchelf",
    "python3",
    "python3-dev",
    "python3-venv",
)
#: Nobody reads in a root for builds.
_LEAN = (
    'Acquire::Languages "none"',
    'APT::Install-Recommends "false"',
)
_UNREAD = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
_GCC = "12"
_COMPILERS = (
    f"gcc-{_GCC}",
    f"cpp-{_GCC}",
    "ar",
    "as",
    "ld.bfd",
    "nm",
    "objcopy",
    "objdump",
    "ranlib",
    "strip",
)
#: What the compiler starts by itself, below gcc's own directory.
_PASSES = ("cc1", "collect2", "lto1", "lto-wrapper", "liblto_plugin.so")
#: They name the Python and the tree of the outer build.
_NOT_PASSED_ON = ("VIRTUAL_ENV", "PYTHONPATH")
# A mount namespace of the command's own: what is mounted here is gone with it. `$0` is the root, `$1` the
# source, `$2` the cache; the rest is the command.
_SCRIPT = """
set -e
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mkdir -p "$0/source" "$0/cache"
mount --bind "$1" "$0/source"
mount --bind "$2" "$0/cache"
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  if [ -e "$file" ]; then touch "$0$file"; mount --bind "$file" "$0$file"; fi
done
root=$0
shift 2
exec chroot "$root" "$@"
"""


def build(architecture: str, cache: Path, options: Sequence[str]) -> None:
    """Run `./dev build` with these options as on that machine; it leaves its result in the tree.

    Raises `BuildError`.
    """
    triplet = _TRIPLETS[architecture]
    if not Path("/proc/sys/fs/binfmt_misc", _EMULATORS[architecture]).exists():
        raise BuildError(
            f"this kernel does not run {architecture} programs; ./dev build sets that up, as root"
        )
    root = _root(architecture, triplet, cache)
    kept = cache / f"foreign-{architecture}"
    kept.mkdir(parents=True, exist_ok=True)
    python = _environment(root, kept)
    words = (python, "-m", "orillo_build", "--arch", architecture, *options)
    _enter(root, kept, words, {"PYTHONPATH": "/source/packaging"})


def _root(architecture: str, triplet: str, cache: Path) -> Path:
    """A Debian of that architecture with what a build needs, made once."""
    key = hashlib.sha256(" ".join((_SUITE, *_PACKAGES)).encode()).hexdigest()[:8]
    root = cache / f"roots/build-{architecture}-{key}"
    if not (root / "complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        options = (
            *(f"--aptopt={option}" for option in _LEAN),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNREAD),
        )
        kind = (f"--arch={architecture}", "--variant=minbase", "--mode=root", *options)
        include = f"--include={','.join(_PACKAGES)}"
        _call(("mmdebstrap", *kind, include, _SUITE, str(root)), f"mmdebstrap could not make {root}")
        _cross_compiler(root, triplet)
        (root / "complete").touch()
    return root


def _cross_compiler(root: Path, triplet: str) -> None:
    """Put the native cross compiler, with the libraries that it runs on, in the emulated one's place."""
    gcc = Path("/usr/lib/gcc-cross", triplet, _GCC)
    if not gcc.is_dir():
        raise BuildError(f"the Debian package gcc-{_GCC}-{triplet.replace('_', '-')} is missing; install it")
    programs = [Path(f"/usr/bin/{triplet}-{name}") for name in _COMPILERS]
    for program in programs:
        _copy(program, root)
    linker = root / f"usr/bin/{triplet}-ld"
    linker.unlink(missing_ok=True)
    linker.symlink_to(f"{triplet}-ld.bfd")
    for directory in (gcc.parent, Path("/usr", triplet)):
        shutil.copytree(directory, root / directory.relative_to("/"), symlinks=True, dirs_exist_ok=True)
    started = [gcc / name for name in _PASSES]
    for library in sorted({one for path in (*programs, *started) for one in _libraries(path)}):
        _copy(library, root)


def _copy(path: Path, root: Path) -> None:
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy(path, target)


def _libraries(program: Path) -> list[Path]:
    """What the loader needs for a native program, and the loader itself."""
    listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    words = [word for line in listing.splitlines() for word in line.split() if word.startswith("/")]
    return [Path(word) for word in words if Path(word).exists()]


def _environment(root: Path, kept: Path) -> str:
    """The Python of an environment by the lock file in the root, made once for each state of it."""
    key = hashlib.sha256((SOURCE / "requirements.lock").read_bytes()).hexdigest()[:16]
    place = Path("/opt", f"venv-{key}")
    inside = root / place.relative_to("/")
    if not (inside / "complete").exists():
        shutil.rmtree(inside, ignore_errors=True)
        _enter(root, kept, ("/usr/bin/python3", "-m", "venv", str(place)), {})
        pip = (f"{place}/bin/pip", "install", "-q", "--disable-pip-version-check", "--require-hashes")
        _enter(root, kept, (*pip, "-r", "/source/requirements.lock"), {})
        (inside / "complete").touch()
    return f"{place}/bin/python"


def _enter(root: Path, kept: Path, words: Sequence[str], extra: Mapping[str, str]) -> None:
    """Run a command in the root. What it says goes where we say things; its result is in the tree."""
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT)
    outer = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    inner = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "XDG_CACHE_HOME": "/cache",
    }
    where = (str(root), str(SOURCE), str(kept))
    _call((*command, *where, *words), f"`{' '.join(words)}` in {root}", {**outer, **inner, **extra})


def _call(words: Sequence[str], what: str, environment: Mapping[str, str] | None = None) -> None:
    # Standard output is for the path of the result alone.
    done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=2, check=False)
    if done.returncode != 0:
        raise BuildError(f"{what}: ended with {done.returncode}; its reason is above")
