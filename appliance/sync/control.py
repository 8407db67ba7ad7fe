# SPDX-License-Identifier: Apache-2.0
"""What an enrolled device says to the control endpoint, and hears from it.

Every method raises `ControlError` (see `appliance.sync.errors`) and nothing else of the network's.
"""

import ssl

import msgspec

from appliance.netcore.plan.exchange import (
    PLAN_PATH,
    RENEW_PATH,
    REPORT_PATH,
    TRUST_PATH,
    Report,
    TrustAnswer,
)
from appliance.netcore.plan.values import encode
from appliance.sync import tls
from appliance.sync.clock import at_least
from appliance.sync.errors import ControlError, IdentityError
from appliance.sync.http import Answer, Http, Request
from appliance.sync.identity import DeviceIdentity
from appliance.sync.proxy import Proxy
from appliance.sync.timing import WAIT

_LARGEST_PLAN = 1 << 28
_NOT_MODIFIED = 304

CSR = {"Content-Type": "application/pkcs10"}
_JSON = {"Content-Type": "application/json"}


class ControlClient:
    """The mTLS listener, for one enrolled device. Connections are kept open between requests."""

    def __init__(self, device: DeviceIdentity, proxy: Proxy | None = None) -> None:
        self._http = Http(device.control_url, _device_context(device), proxy)

    async def plan(self, etag: str | None, wait: int = WAIT) -> Answer | None:
        """The signed plan as soon as it is another than `etag`; None if it stayed the same for `wait` s."""
        headers = {"Prefer": f"wait={wait}"}
        if etag:
            headers["If-None-Match"] = f'"{etag}"'
        answer = await self._http.send(Request("GET", PLAN_PATH, headers, limit=_LARGEST_PLAN), wait)
        return None if answer.status == _NOT_MODIFIED else answer

    async def report(self, report: Report) -> None:
        """Tell the operator how the device stands."""
        await self._http.send(Request("POST", REPORT_PATH, _JSON, encode(report)))

    async def renew(self, csr: bytes) -> bytes:
        """A new leaf for the same instance, base64 PKCS#7."""
        return (await self._http.send(Request("POST", RENEW_PATH, CSR, csr))).body

    async def trust(self) -> TrustAnswer:
        """The CA and the plan keys of this cluster, as of now."""
        return read_trust(await self._http.send(Request("GET", TRUST_PATH)), str(self._http.where))

    async def close(self) -> None:
        """Give up the connections."""
        await self._http.close()


def read_trust(answer: Answer, where: str) -> TrustAnswer:
    """Read the answer of `TRUST_PATH`. Raises `ControlError`."""
    try:
        return msgspec.json.decode(answer.body, type=TrustAnswer)
    except msgspec.MsgspecError as error:
        raise ControlError(f"{where} told its trust in a form unknown here: {error}") from error


def _device_context(device: DeviceIdentity) -> ssl.SSLContext:
    context = tls.context(at_least(device.not_before))
    try:
        context.load_verify_locations(cafile=device.ca)
        context.load_cert_chain(device.certificate, device.key)
    except (OSError, ssl.SSLError) as error:
        raise IdentityError(f"the identity in {device.key.parent} can't be used: enrol again") from error
    return context
