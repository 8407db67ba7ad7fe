# SPDX-License-Identifier: Apache-2.0
"""Who may speak on an ownership stream: the certificate's URI SAN against the plan."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.netcore.errors import DoorError, NotYetError
from appliance.netcore.plan.identity import Identity, parse_uri
from appliance.netcore.plan.model import Plan
from appliance.netcore.plan.values import Role


@dataclass(frozen=True)
class TlsFiles:
    """This device's certificate and key, as files in PEM."""

    certificate: Path
    key: Path

    def stamp(self) -> int:
        """Another number after a renewal; 0 while there is no certificate."""
        try:
            return self.certificate.stat().st_mtime_ns
        except OSError:
            return 0


class RefusedError(Exception):
    """The other end is nobody that this plan lets on an ownership stream; the text says why."""


def check_peer(certificate: Mapping[str, Any] | None, plan: Plan, roles: frozenset[Role]) -> str:
    """The name of the peer behind a verified certificate; raises `RefusedError`."""
    identity = _identity(certificate)
    peer = plan.peers.get(identity.name)
    if identity.cluster != plan.identity.cluster or peer is None:
        raise RefusedError(f"{identity.uri} is no peer in this plan")
    if peer.role not in roles:
        raise RefusedError(f"{identity.uri} is a {peer.role}, which has no part in this")
    if identity.uri in plan.trust.revoked or identity.ike_id != peer.ike_id:
        raise RefusedError(f"{identity.uri} is revoked, or an enrolment that was superseded")
    return identity.name


def _identity(certificate: Mapping[str, Any] | None) -> Identity:
    names = (certificate or {}).get("subjectAltName", ())
    for kind, value in names:
        if kind == "URI":
            try:
                return parse_uri(value)
            except ValueError as error:
                raise RefusedError(str(error)) from error
    raise RefusedError("its certificate names no device")


def tls_context(purpose: ssl.Purpose, files: TlsFiles, ca: tuple[str, ...]) -> ssl.SSLContext:
    """TLS 1.3 with certificates on both ends; names are checked by `check_peer`, not as host names."""
    server = purpose is ssl.Purpose.CLIENT_AUTH
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if server:
        # A resumed session would skip the look at the certificate.
        context.num_tickets = 0
    try:
        context.load_verify_locations(cadata="\n".join(ca))
        context.load_cert_chain(files.certificate, files.key)
    except FileNotFoundError as error:
        raise NotYetError(f"waiting for the device's certificate: {error.filename} is not there") from error
    except (OSError, ValueError) as error:
        raise DoorError(f"the device's certificate {files.certificate} can't be used: {error}") from error
    return context
