# SPDX-License-Identifier: Apache-2.0
"""TLS towards the control endpoint, for a device whose clock may stand still or start at nought.

OpenSSL would judge certificates by the host's clock. One that has not begun yet says only that this clock is
behind; one that is over by a clock that can't be too late (`sync.clock`) is refused here.
"""

import ssl
from collections.abc import Callable
from datetime import datetime

from appliance.sync.clock import moment

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h)
_HAS_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED


def context(now: Callable[[], datetime]) -> ssl.SSLContext:
    """TLS 1.3 that believes nobody yet; the caller says whom."""
    # Not `ssl.create_default_context`: it loads the system's CAs, neither believed here nor cheap.
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)

    class Dated(ssl.SSLObject):
        """Looks at the end of the peer's certificate as soon as there is one."""

        def do_handshake(self) -> None:
            super().do_handshake()
            ends = (self.getpeercert() or {}).get("notAfter")
            if isinstance(ends, str):
                month, day, clock, year, _ = ends.split()
                if now() > moment(year, month, day, clock):
                    raise _expired(ends)

    made.sslobject_class = Dated
    return made


def _expired(ends: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"certificate has expired on {ends}")
    error.verify_code, error.verify_message = _HAS_EXPIRED, f"certificate has expired on {ends}"
    return error
