# SPDX-License-Identifier: Apache-2.0
"""Container images of Debian and one of our packages, as an OCI layout in a tar (image-spec 1.0).

No daemon and no registry is needed to make one; `podman load`, `skopeo copy oci-archive:` and `ctr image
import` take it. What runs in it is nobody, unless whoever runs it says otherwise.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orillo_build.compiler import BuildError
from orillo_pack.debian import DEPENDS

_SUITE = "bookworm"
_NOBODY = "65532:65532"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
#: Nobody reads these in a container; the licences stay.
_UNREAD = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/doc/*")
_READ = ("/usr/share/doc/*/copyright", "/usr/share/doc/orillo*/*")
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Recipe:
    """An image: its name, the Debian packages that it is made of beside ours, and what it runs."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    user: str = _NOBODY


OPERATOR = Recipe(
    "orillo-cloud", ("python3-minimal", "python3", "adduser"), ("/usr/bin/orillo-cloud", "serve")
)
#: For the DaemonSets, whose containers are each one of its verbs. Its work is the node's network, so it is
#: root; what of root's rights each container has, its manifest says.
APPLIANCE = Recipe(
    "orillo",
    (*(package.partition(" ")[0] for package in DEPENDS), "conntrack", "iputils-ping"),
    ("/usr/bin/orillo", "run"),
    "0:0",
)


def make_image(recipe: Recipe, package: Path, out: Path, version: str, architecture: str, epoch: int) -> Path:
    """Build `NAME_VERSION_ARCH.oci.tar` in `out`; returns its path. Raises `BuildError`."""
    root = out / f"{recipe.name}.rootfs.tar"
    done = subprocess.run(
        bootstrap(recipe, package, root, architecture),
        env={"PATH": f"{_PATH}", "SOURCE_DATE_EPOCH": str(epoch), **_proxies()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"mmdebstrap could not make {root}: {done.stderr[-600:]}")
    image = out / f"{recipe.name}_{version}_{architecture}.oci.tar"
    image.write_bytes(layout(recipe, root.read_bytes(), version, architecture, epoch))
    return image


def bootstrap(recipe: Recipe, package: Path, root: Path, architecture: str) -> tuple[str, ...]:
    """The command that makes the file system; as somebody other than root it takes a user namespace."""
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _UNREAD]
    options += [f"--dpkgopt=path-include={pattern}" for pattern in _READ]
    hooks = (
        f"copy-in {package} /tmp",
        f'chroot "$1" dpkg -i /tmp/{package.name}',
        f'rm -rf "$1"/tmp/{package.name} "$1"/var/log/* "$1"/var/cache/* "$1"/var/lib/apt/lists/*',
    )
    return (
        "mmdebstrap",
        "--variant=essential",
        f"--arch={architecture}",
        f"--include={','.join(recipe.packages)}",
        *options,
        *(f"--customize-hook={hook}" for hook in hooks),
        _SUITE,
        str(root),
    )


def layout(recipe: Recipe, root: bytes, version: str, architecture: str, epoch: int) -> bytes:
    """The image's tar; the same input gives the same bytes."""
    blobs: dict[str, bytes] = {}

    def blob(kind: str, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    created = f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"
    config = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": recipe.user,
            "Entrypoint": list(recipe.command[:1]),
            "Cmd": list(recipe.command[1:]),
            "Env": [f"PATH={_PATH}", "LC_ALL=C.UTF-8"],
            "Labels": {
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"]},
        "history": [{"created": created, "created_by": f"Debian {_SUITE} and the package {recipe.name}"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": blob(_CONFIG, _json(config)),
        "layers": [blob(_LAYER, gzip.compress(root, 6, mtime=0))],
    }
    entry = blob(_MANIFEST, _json(manifest))
    entry["annotations"] = {"org.opencontainers.image.ref.name": f"{recipe.name}:{version}"}
    index = {"schemaVersion": 2, "manifests": [entry]}
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index), **blobs}
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), epoch
            tar.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _proxies(names: Sequence[str] = ("http_proxy", "https_proxy", "no_proxy")) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
