# SPDX-License-Identifier: Apache-2.0
"""Credentials as pods and kubeconfigs have them, and what is said of those that can't be used."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.netcore.plan.identity import Identity
from cloud.ca.issuer import Issuer
from cloud.ca.keys import new_ec_key, private_pem
from cloud.source.access import AccessError, from_kubeconfig, in_cluster
from tests.unit.ca.requests import certificate_in, request_for


@pytest.fixture(name="issuer")
def make_issuer(tmp_path: Path) -> Issuer:
    """A CA for servers and clients of these tests."""
    return Issuer.create(tmp_path, "lab", datetime.now(UTC))


def text(data: str | bytes) -> str:
    """As `...-data` has it."""
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def kubeconfig(folder: Path, issuer: Issuer, user: dict[str, Any], **cluster: Any) -> Path:
    """A kubeconfig with one context, and another one that is not the current one."""
    fields = {"server": "https://k8s.test:6443", "certificate-authority-data": text(issuer.certificate_pem)}
    path = folder / "config"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [
            {"name": "there", "context": {"cluster": "c", "user": "nobody"}},
            {"name": "here", "context": {"cluster": "c", "user": "me", "namespace": "x"}},
        ],
        "clusters": [{"name": "c", "cluster": fields | cluster}],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def test_token_of_a_kubeconfig(tmp_path: Path, issuer: Issuer) -> None:
    access = from_kubeconfig(kubeconfig(tmp_path, issuer, {"token": "s3cret"}))
    assert (access.server, access.token()) == ("https://k8s.test:6443", "s3cret")
    assert "s3cret" not in repr(access)


def test_token_file_is_read_each_time(tmp_path: Path, issuer: Issuer) -> None:
    """Relative to the kubeconfig, as kubectl reads it."""
    (tmp_path / "token").write_text("one\n")
    access = from_kubeconfig(kubeconfig(tmp_path, issuer, {"tokenFile": "token"}))
    assert access.token() == "one"
    (tmp_path / "token").write_text("two\n")
    assert access.token() == "two"


def test_client_certificate(tmp_path: Path, issuer: Issuer) -> None:
    key = new_ec_key()
    leaf = certificate_in(
        issuer.issue(request_for(key), Identity("lab", "me", "abcd1234"), datetime.now(UTC))
    ).public_bytes(Encoding.PEM)
    user = {"client-certificate-data": text(leaf), "client-key-data": text(private_pem(key))}
    access = from_kubeconfig(kubeconfig(tmp_path, issuer, user))
    assert access.token() is None
    other = {**user, "client-key-data": text(private_pem(new_ec_key()))}
    with pytest.raises(AccessError, match="no pair"):
        from_kubeconfig(kubeconfig(tmp_path, issuer, other))


@pytest.mark.parametrize(
    ("user", "cluster", "message"),
    [
        ({}, {"server": "http://k8s.test"}, "no https address"),
        ({}, {"insecure-skip-tls-verify": True}, "certificate-authority-data"),
        ({"exec": {"command": "aws"}}, {}, "run a program"),
        ({"tokenFile": "missing"}, {}, "can't read .*missing"),
        ({}, {"certificate-authority-data": "%%%"}, "not base64"),
        ({}, {"certificate-authority-data": text("nonsense")}, "no PEM certificate"),
    ],
)
def test_what_can_not_be_used(
    tmp_path: Path, issuer: Issuer, user: dict[str, Any], cluster: dict[str, Any], message: str
) -> None:
    with pytest.raises(AccessError, match=message):
        from_kubeconfig(kubeconfig(tmp_path, issuer, user, **cluster))


def test_no_current_context(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("current-context: prod\n")
    with pytest.raises(AccessError, match="use-context"):
        from_kubeconfig(tmp_path / "config")


def test_service_account_of_a_pod(tmp_path: Path, issuer: Issuer) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "fd00:96::1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(AccessError, match="--kubeconfig"):
        in_cluster(environment, tmp_path)
    (tmp_path / "token").write_text("one")
    (tmp_path / "ca.crt").write_text(issuer.certificate_pem)
    access = in_cluster(environment, tmp_path)
    assert (access.server, access.token()) == ("https://[fd00:96::1]:443", "one")
    (tmp_path / "token").write_text("two")  # as the kubelet does about each hour
    assert access.token() == "two"
