# SPDX-License-Identifier: Apache-2.0
"""The TLS of the two listeners that devices reach."""

import ssl
from pathlib import Path


def enrolment_context(certificate: Path) -> ssl.SSLContext:
    """For devices that have no certificate yet. Raises `OSError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate)
    return context


def control_context(certificate: Path, ca: str) -> ssl.SSLContext:
    """For enrolled devices only: without a certificate of our CA there is no connection. Raises `OSError`.

    No session tickets: a resumed session would skip the check of the certificate.
    """
    context = enrolment_context(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=ca)
    context.num_tickets = 0
    return context
