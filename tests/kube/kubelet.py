# SPDX-License-Identifier: Apache-2.0
"""As much of a kubelet as shows what it would be asked to run: it refuses, and remembers the request.

The streams of a real one's answer (SPDY) are not here; so what a command says can't be seen this way.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cloud.ca.issuer import Issuer
from tests.kube.server import KubeServer
from tests.kube.things import NODES

REFUSAL = "this kubelet runs nothing"


class Kubelet:
    """Listens on loopback. `asked` are the requests: the path, and the command's words."""

    def __init__(self, folder: Path) -> None:
        asked: list[tuple[str, list[str]]] = []
        self.asked = asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                url = urlsplit(self.path)
                asked.append((url.path, parse_qs(url.query)["command"]))
                self.send_response(403)
                self.end_headers()
                self.wfile.write(REFUSAL.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        pem = folder / "kubelet.pem"
        now = datetime.now(UTC)
        pem.write_bytes(Issuer.create(folder, "kubelet", now).server_certificate(("127.0.0.1",), now).pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def running_pod(kube: KubeServer, deployment: dict[str, Any], folder: Path) -> Iterator[Kubelet]:
    """A pod of this Deployment's, as its controllers and a kubelet would have made it run."""
    kubelet = Kubelet(folder)
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    pods = f"/api/v1/namespaces/{metadata['namespace']}/pods"
    name = f"{metadata['name']}-0"
    kube.ask("POST", NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "host"}})
    where = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
    }
    kube.ask("PATCH", f"{NODES}/host/status", {"status": where})
    labels = template["metadata"]["labels"]
    spec = template["spec"] | {"nodeName": "host"}
    kube.ask("POST", pods, {"metadata": {"name": name, "labels": labels}, "spec": spec})
    ready = [{"type": "Ready", "status": "True"}]
    kube.ask("PATCH", f"{pods}/{name}/status", {"status": {"phase": "Running", "conditions": ready}})
    try:
        yield kubelet
    finally:
        kube.ask("DELETE", f"{pods}/{name}", gracePeriodSeconds="0")
        kube.ask("DELETE", f"{NODES}/host")
        kubelet.close()
