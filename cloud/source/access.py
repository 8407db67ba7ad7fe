# SPDX-License-Identifier: Apache-2.0
"""How to reach a Kubernetes API, and as whom: a pod's service account, or a kubeconfig's current context."""

import os
import ssl
import tempfile
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cloud.source.documents import DocumentError, read_documents

#: Where a pod finds its service account ("Accessing the Kubernetes API from a Pod" in Kubernetes' manual).
NAMESPACE = "orillo-system"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class AccessError(ValueError):
    """Credentials that can't be used; the text names the file, what is wrong, and the remedy."""


@dataclass(frozen=True)
class Access:
    """A server's URL, the TLS context that trusts it (and presents our certificate), and our token.

    `token` is asked before each request, since a pod's token is replaced about every hour. `namespace` is
    where the operator's own Secret and Lease are.
    """

    server: str
    context: ssl.SSLContext = field(repr=False)
    token: Callable[[], str | None] = field(default=lambda: None, repr=False)
    namespace: str = NAMESPACE


class _Part(msgspec.Struct, frozen=True, rename="kebab"):
    """A part of a kubeconfig; fields that mean nothing to us are passed over."""


class _Cluster(_Part, frozen=True):
    server: str
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False


class _User(_Part, frozen=True):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    exec: dict[str, Any] | None = None
    auth_provider: dict[str, Any] | None = None


class _Context(_Part, frozen=True):
    cluster: str
    user: str
    namespace: str = NAMESPACE


class _NamedCluster(_Part, frozen=True):
    name: str
    cluster: _Cluster


class _NamedUser(_Part, frozen=True):
    name: str
    user: _User


class _NamedContext(_Part, frozen=True):
    name: str
    context: _Context


class _Kubeconfig(_Part, frozen=True):
    current_context: str = ""
    clusters: tuple[_NamedCluster, ...] = ()
    users: tuple[_NamedUser, ...] = ()
    contexts: tuple[_NamedContext, ...] = ()


def in_cluster(environment: Mapping[str, str] = os.environ, account: Path = SERVICE_ACCOUNT) -> Access:
    """The service account of the pod that we run in. Raises `AccessError`."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    token = account / "token"
    if not host or not port or not token.exists():
        raise AccessError("this is no pod with a service account: give --kubeconfig FILE")
    _token_of(token)
    context = _context(_read(account / "ca.crt"))
    address = f"[{host}]" if ":" in host else host
    namespace = _token_of(account / "namespace") if (account / "namespace").exists() else NAMESPACE
    return Access(f"https://{address}:{port}", context, lambda: _token_of(token), namespace)


def from_kubeconfig(path: Path) -> Access:
    """The current context of a kubeconfig. Raises `AccessError`."""
    cluster, user, namespace = _current(_parse(path), path)
    if not cluster.server.startswith("https://"):
        raise AccessError(f"{path}: the server {cluster.server!r} is no https address: correct `server`")
    if cluster.insecure_skip_tls_verify:
        problem = "insecure-skip-tls-verify would let anyone be the API server"
        raise AccessError(f"{path}: {problem}: give certificate-authority-data instead")
    if user.exec or user.auth_provider:
        remedy = "use a client certificate, a token, or the service account of a pod"
        raise AccessError(f"{path}: users that run a program to log in are not supported: {remedy}")
    here = path.parent
    authority = _content(cluster.certificate_authority_data, cluster.certificate_authority, here, path)
    context = _context(authority)
    certificate = _content(user.client_certificate_data, user.client_certificate, here, path)
    key = _content(user.client_key_data, user.client_key, here, path)
    if certificate and key:
        _present(context, certificate + b"\n" + key, path)
    if user.token_file:
        file = here / user.token_file
        _token_of(file)
        return Access(cluster.server, context, lambda: _token_of(file), namespace)
    return Access(cluster.server, context, lambda: user.token or None, namespace)


def _parse(path: Path) -> _Kubeconfig:
    try:
        documents = [document for _, document in read_documents(_read(path).decode())]
        return msgspec.convert(documents[0] if documents else {}, _Kubeconfig)
    except (DocumentError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise AccessError(f"{path} is no kubeconfig: {error}") from error


def _current(config: _Kubeconfig, path: Path) -> tuple[_Cluster, _User, str]:
    contexts = {entry.name: entry.context for entry in config.contexts}
    clusters = {entry.name: entry.cluster for entry in config.clusters}
    users = {entry.name: entry.user for entry in config.users}
    context = contexts.get(config.current_context)
    if context is None:
        known = ", ".join(contexts) or "none"
        problem = f"the current context {config.current_context!r} is not among its contexts ({known})"
        raise AccessError(f"{path}: {problem}: run kubectl config use-context")
    if context.cluster not in clusters or context.user not in users:
        raise AccessError(f"{path}: its current context names a cluster or a user that is not there")
    return clusters[context.cluster], users[context.user], context.namespace


def _content(data: str, file: str, here: Path, path: Path) -> bytes:
    """What a kubeconfig gives as base64 text or as a file beside it; empty where it gives neither."""
    try:
        return b64decode(data, validate=True) if data else _read(here / file) if file else b""
    except Base64Error as error:
        raise AccessError(f"{path}: a certificate or key in it is not base64") from error


def _context(authority: bytes) -> ssl.SSLContext:
    """Trusts `authority` alone, or the system's authorities where none is given."""
    try:
        return ssl.create_default_context(cadata=authority.decode() or None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise AccessError("the API server's certificate authority is no PEM certificate") from error


def _present(context: ssl.SSLContext, pem: bytes, path: Path) -> None:
    """Make the context present a certificate. Python's ssl takes keys from files only."""
    with tempfile.NamedTemporaryFile(prefix="orillo-") as file:  # made with mode 0600
        file.write(pem)
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except ssl.SSLError as error:
            raise AccessError(f"{path}: client certificate and key are no pair in PEM") from error


def _token_of(path: Path) -> str:
    return _read(path).decode("ascii", "replace").strip()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AccessError(f"can't read {path}: {error.strerror}") from error
