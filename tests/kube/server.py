# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver on its own etcd, on loopback; no kubelets and no controllers.

As in Kubernetes' envtest, `KUBEBUILDER_ASSETS` is the folder with `kube-apiserver`, `etcd` and `kubectl`.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.lab.command import inside

DEADLINE = 120.0
ADMIN_TOKEN = "admin-of-the-test"  # noqa: S105 -- of a server that lives as long as the test
#: Another user, with no rights but those that a test binds to it.
OPERATOR_TOKEN = "operator-of-the-test"  # noqa: S105


def assets() -> Path | None:
    """The folder with the programs, if there is one."""
    folder = Path(os.environ.get("KUBEBUILDER_ASSETS") or "/nonexistent")
    return folder if (folder / "kube-apiserver").exists() else None


def wait_until(holds: Callable[[], object], what: str, deadline: float = DEADLINE) -> None:
    """Look until it holds."""
    end = time.monotonic() + deadline
    while not holds():
        assert time.monotonic() < end, f"not within {deadline:.0f} s: {what}"
        time.sleep(0.05)


class KubeServer:
    """etcd and the API server, with an administrator's client. `start` and `stop` are for the API server.

    In a network namespace, `kubectl` is the only way to it from outside.
    """

    def __init__(self, programs: Path, directory: Path, ns: str | None = None) -> None:
        self.programs = programs
        self._ns = ns
        self._directory = directory
        self._etcd_port, self._peer_port, self._port = _free_ports(3)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._write_keys()
        self.admin = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
            verify=False,  # noqa: S501 -- its certificate is made while it starts
            timeout=30,
            trust_env=False,
        )
        try:
            self._start_etcd()
            self.start()
            self.wait()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The API's port on loopback."""
        return self._port

    @property
    def authority(self) -> Path:
        """The certificate that the API server made for itself, and which vouches for itself."""
        return self._directory / "certificates/apiserver.crt"

    def start(self) -> None:
        """Start the API server."""
        directory = self._directory
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={directory}/certificates",
            f"--token-auth-file={directory}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={directory}/account.key",
            f"--service-account-signing-key-file={directory}/account.key",
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            "--shutdown-delay-duration=0s",
        )

    def wait(self) -> None:
        """Wait until it serves."""
        wait_until(self._is_ready, f"kube-apiserver ready; see {self._directory}/kube-apiserver.log")

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End the API server; etcd stays."""
        self._end("kube-apiserver", number)

    def close(self) -> None:
        """End both."""
        self.admin.close()
        for name in list(self._processes):
            self._end(name, signal.SIGKILL)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """One request of the administrator; it has to succeed."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = None if body is None else json.dumps(body)
        answer = self.admin.request(
            method, path, content=content, params=query, headers={"Content-Type": kind}
        )
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        return answer.json()

    def kubectl(self, *arguments: str, text: str = "", check: bool = True) -> str:
        """Run kubectl as the administrator; what it printed."""
        config = self.kubeconfig(ADMIN_TOKEN)
        done = subprocess.run(
            inside(self._ns, [f"{self.programs}/kubectl", f"--kubeconfig={config}", *arguments]),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self._directory)},
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + ("" if check else done.stderr)

    def kubeconfig(self, token: str) -> Path:
        """A kubeconfig for the user with this token."""
        path = self._directory / f"{token}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "here", "user": "me"}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def compact(self) -> None:
        """Make etcd forget every version but the newest, as it does by itself every five minutes."""
        etcd = f"http://127.0.0.1:{self._etcd_port}/v3/kv"
        everything = {"key": "AA==", "range_end": "AA==", "count_only": True}
        revision = httpx.post(f"{etcd}/range", json=everything).json()["header"]["revision"]
        answer = httpx.post(f"{etcd}/compaction", json={"revision": revision, "physical": True})
        assert answer.status_code == 200, answer.text

    def _is_ready(self) -> bool:
        process = self._processes["kube-apiserver"]
        assert process.poll() is None, f"kube-apiserver ended; see {self._directory}/kube-apiserver.log"
        if self._ns:
            return self.kubectl("get", "--raw=/readyz", check=False) == "ok"
        try:
            return self.admin.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        self._run(
            "etcd",
            f"--data-dir={self._directory}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            "--unsafe-no-fsync",
            "--log-level=error",
        )

    def _run(self, name: str, *arguments: str) -> None:
        with (self._directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                inside(self._ns, [f"{self.programs}/{name}", *arguments]),
                stdout=log,
                stderr=log,
                cwd=self._directory,
            )

    def _end(self, name: str, number: int) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        process.wait(DEADLINE)

    def _write_keys(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self._directory / "account.key").write_bytes(pem)
        users = f'{ADMIN_TOKEN},admin,1,"system:masters"\n{OPERATOR_TOKEN},operator,2\n'
        (self._directory / "tokens.csv").write_text(users)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
