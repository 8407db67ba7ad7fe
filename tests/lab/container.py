# SPDX-License-Identifier: Apache-2.0
"""A container of a manifest in the lab, by runc as a kubelet would have it: its command, rights and mounts.

What is not as on a node: without an image of ours it is this machine's /usr with the tree under test, host
paths are below the node's directory, and the run time's seccomp profile is missing.
"""

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.command import LabError, attempt
from tests.lab.image import Image
from tests.lab.process import SOURCE, Process, environment
from tests.lab.wait import until

#: As the common run times have them (containerd, `oci/spec_opts.go`, "WithDefaultSpec").
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
_MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
#: What of this machine's /etc an image of ours has.
_ETC = (
    "passwd",
    "group",
    "nsswitch.conf",
    "protocols",
    "services",
    "ld.so.cache",
    "alternatives",
    "iproute2",
)
#: The kernel's own, which are what they are for every node.
_REAL = ("/proc/", "/dev/")
#: The environment of Python itself, not a link to it: below /tmp, where a container has its own, it is lost.
_PYTHON = Path(sys.prefix).resolve()
_ENVIRONMENT = {"PATH": "/opt/orillo/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": "/opt/orillo/tree"}

_SCRIPT = """
set -e
cd "$1"
mount -t tmpfs -o mode=755 tmpfs rootfs
mkdir rootfs/usr rootfs/etc rootfs/var
ln -s /run rootfs/var/run
mount --bind /usr rootfs/usr
for name in bin sbin lib lib64; do ln -s "usr/$name" "rootfs/$name"; done
for name in $6; do [ ! -e "/etc/$name" ] || cp -a "/etc/$name" rootfs/etc/; done
mkdir -p "rootfs$2" rootfs/opt/orillo/tree
mount --bind "$2" "rootfs$2"
mount --bind "$3" rootfs/opt/orillo/tree
cp -a "$5" rootfs/opt/orillo/bin
exec runc --root "$1/state" run --bundle "$1" "$4"
"""
#: As containerd does: a layer of the container's own over the image's.
_OVER_IMAGE = """
set -e
cd "$1"
mkdir -p own
mount -t tmpfs tmpfs own
mkdir own/upper own/work
mount -t overlay -o "lowerdir=$2,upperdir=$1/own/upper,workdir=$1/own/work" overlay rootfs
exec runc --root "$1/state" run --bundle "$1" "$3"
"""


@dataclass(frozen=True)
class KubeNode:
    """A node that runs pods: its name, its network, and the directory that stands for its disk.

    `program` is the first words of what `orillo` is where there is no `unpacked` image. `files` are what
    Secrets and ConfigMaps hold: name of the object, key, text.
    """

    name: str
    ns: str
    disk: Path
    program: tuple[str, ...]
    files: Mapping[str, Mapping[str, str]]
    unpacked: Image | None = None

    def image(self) -> Path:
        """The image's own programs: `orillo` alone."""
        file = self.disk / "image/orillo"
        file.parent.mkdir(parents=True, exist_ok=True)
        words = [str(_PYTHON / "bin/python") if word == sys.executable else word for word in self.program]
        file.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        file.chmod(0o755)
        return file.parent


class Container:
    """One container, made from its entry in the pod's specification; `close` ends and removes it.

    `processes` is the process namespace that a pod's containers share, if they share one.
    """

    def __init__(
        self, node: KubeNode, pod: dict[str, Any], container: dict[str, Any], processes: Path | None = None
    ) -> None:
        self.id = f"{node.ns}-{container['name']}"
        self._node = node
        self._pod = pod
        self._spec = container
        self._processes = processes
        self._bundle = node.disk / f"containers/{container['name']}"
        self._process: Process | None = None

    def start(self) -> None:
        """Run it, as often as it has ended."""
        (self._bundle / "rootfs").mkdir(parents=True, exist_ok=True)
        (self._bundle / "config.json").write_text(json.dumps(self._config()))
        script = ("unshare", "--mount", "--propagation", "private", "sh", "-c", *self._run())
        self._process = Process(script, self._node.disk / f"logs/{self._spec['name']}.log")

    def run(self, seconds: float = 30.0) -> str:
        """Start it and wait for its end, as for an init container; what it said. Raises `LabError`."""
        self.start()
        process = self._process
        assert process
        until(lambda: not process.alive, f"{self._spec['name']} ends", seconds)
        if process.code != 0:
            raise LabError(f"{self.id} ended with {process.code}: {process.output().strip()}")
        return process.output()

    @property
    def output(self) -> str:
        """What it said since its last start."""
        return self._process.output() if self._process else ""

    def exec(self, *words: str) -> str:
        """What a command in the container says, as `kubectl exec` would show it."""
        command = ("runc", "--root", f"{self._bundle}/state", "exec", self.id, *words)
        return attempt(*command, timeout=30).text

    def close(self) -> None:
        """End it as a kubelet would, and leave nothing of it."""
        if self._process:
            self._process.stop()
            attempt("runc", "--root", f"{self._bundle}/state", "delete", "--force", self.id)

    def _run(self) -> tuple[str, ...]:
        """The script that makes the root file system and becomes runc, and its arguments."""
        if self._node.unpacked:
            return (_OVER_IMAGE, "container", str(self._bundle), str(self._node.unpacked.root), self.id)
        image = self._node.image()
        words = (self._bundle, _PYTHON, SOURCE, self.id, image, " ".join(_ETC))
        return (_SCRIPT, "container", *map(str, words))

    @property
    def _environment(self) -> list[str]:
        if self._node.unpacked:
            return list(self._node.unpacked.config["Env"])
        return [f"{name}={text}" for name, text in (environment() | _ENVIRONMENT).items()]

    def _config(self) -> dict[str, Any]:
        context = self._spec["securityContext"]
        capabilities = [f"CAP_{name}" for name in context["capabilities"].get("add", ())]
        sets = ("bounding", "effective", "inheritable", "permitted")
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": self._pod["securityContext"]["runAsUser"], "gid": 0},
                "args": self.command,
                "env": self._environment,
                "cwd": "/",
                "capabilities": dict.fromkeys(sets, capabilities),
                "noNewPrivileges": not context["allowPrivilegeEscalation"],
            },
            "root": {"path": "rootfs", "readonly": context["readOnlyRootFilesystem"]},
            "hostname": self._node.name,
            "mounts": [*_STANDARD, *map(self._mount, self._spec["volumeMounts"])],
            "linux": {
                "namespaces": [
                    {"type": "pid"} | ({"path": str(self._processes)} if self._processes else {}),
                    {"type": "ipc"},
                    {"type": "uts"},
                    {"type": "mount"},
                    {"type": "network", "path": f"/run/netns/{self._node.ns}"},
                ],
                "resources": {"devices": [{"allow": False, "access": "rwm"}]},
                "readonlyPaths": _READ_ONLY,
                "maskedPaths": _MASKED,
            },
        }

    @property
    def command(self) -> list[str]:
        """The container's command line with its variables filled in."""
        fields = {"spec.nodeName": self._node.name}
        variables = {
            each["name"]: fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
            for each in self._spec.get("env", ())
        }
        words = [*self._spec["command"], *self._spec.get("args", ())]
        return [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], word) for word in words]

    def _mount(self, mount: dict[str, Any]) -> dict[str, Any]:
        volume = next(each for each in self._pod["volumes"] if each["name"] == mount["name"])
        if "emptyDir" in volume:
            return {"destination": mount["mountPath"], "type": "tmpfs", "source": "tmpfs"}
        options = ["bind", "ro" if mount.get("readOnly") else "rw"]
        source = self._host_path(volume) if "hostPath" in volume else self._projected(volume)
        return {
            "destination": mount["mountPath"],
            "type": "bind",
            "source": str(source),
            "options": options,
        }

    def _host_path(self, volume: dict[str, Any]) -> Path:
        wanted = Path(str(volume["hostPath"]["path"]))
        if str(wanted).startswith(_REAL):
            return wanted
        path: Path = self._node.disk / wanted.relative_to("/")
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _projected(self, volume: dict[str, Any]) -> Path:
        """A Secret's or a ConfigMap's keys as files."""
        content = volume.get("secret") or volume["configMap"]
        texts = self._node.files[content.get("secretName") or content["name"]]
        keys = {item["key"]: item["path"] for item in content.get("items", ())} or {key: key for key in texts}
        folder = self._bundle / f"volumes/{volume['name']}"
        folder.mkdir(parents=True, exist_ok=True)
        for key, path in keys.items():
            (folder / path).write_text(texts[key])
        return folder


_STANDARD: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "ro"]},
]
