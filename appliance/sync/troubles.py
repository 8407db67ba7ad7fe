# SPDX-License-Identifier: Apache-2.0
"""What a failed request means to the person at the device: one sentence, with what to do.

Pure: from the library's chain of errors, or from a refusal, to an error of ours.
"""

import os
import socket
import ssl
from collections.abc import Iterator

import msgspec

from appliance.netcore.plan.exchange import (
    NAME_TAKEN,
    PLAN_NONE,
    REVOKED,
    TOKEN_EXPIRED,
    TOKEN_NAME,
    TOKEN_UNKNOWN,
    TOKEN_USED,
    Refusal,
)
from appliance.sync.errors import ControlError, RefusedError, TlsError, UnreachableError

_NEW_TOKEN = "get a new one with `orillo-cloud token create --name NODE`"  # noqa: S105 -- a sentence
ENROL_AGAIN = "get a token with `orillo-cloud token create --name NODE` and run `orillo enroll TOKEN`"

_REFUSALS = {
    TOKEN_UNKNOWN: f"the operator does not know this token (deleted, or another operator's): {_NEW_TOKEN}",
    TOKEN_USED: f"this token was used before, as often as it may be (once, as a rule): {_NEW_TOKEN}",
    TOKEN_NAME: "this token is for devices of other names: run `orillo enroll --name NAME`, or get another",
    NAME_TAKEN: "a device has this name already: `orillo-cloud token create --replace NODE` shuts it out",
    TOKEN_EXPIRED: f"this token has expired: {_NEW_TOKEN}",
    PLAN_NONE: "the operator has no Node of this device's name: apply one with `orillo-cloud apply -f FILE`",
    REVOKED: f"the operator has revoked this device's identity: to bring it back, {ENROL_AGAIN}",
}

# X.509 verification results of OpenSSL (openssl-verification-options(1)).
_CLOCK = {9, 10}
_FOREIGN_CA = {2, 18, 19, 20, 21}
_WRONG_NAME = {62, 64}

#: No faults: they stand in the chain of any error that came while TLS waited for more data.
_MORE_DATA = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


def refusal(status: int, code: str, message: str, where: str) -> RefusedError:
    """The error for an answer that is not the one hoped for."""
    if code in _REFUSALS:
        return RefusedError(code, _REFUSALS[code])
    detail = message or "it gave no reason"
    return RefusedError(code or f"http-{status}", f"{where} refused with status {status}: {detail}")


def refused(status: int, body: bytes, where: str) -> RefusedError:
    """The error for an answer of that status, by what its body says."""
    try:
        said = msgspec.json.decode(body, type=Refusal)
    except msgspec.MsgspecError:
        said = Refusal(error="", message="")
    return refusal(status, said.error, said.message, where)


def trouble(error: BaseException, where: str) -> ControlError:
    """The error for a request that got no answer; `where` is host and port."""
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _MORE_DATA):
            return _tls(cause, where)
    for cause in chain:
        if (found := _network(cause, where)) is not None:
            return found
    return UnreachableError(f"{where} gave no usable answer ({_words(chain[0])}): is it an Orillo operator?")


def _tls(error: ssl.SSLError, where: str) -> ControlError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(f"the certificate of {where} {_fault(error)}")
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" in reason and "expired" in reason:
        return TlsError(f"{where} says that this device's certificate has expired: {ENROL_AGAIN}")
    if "alert" in reason:
        return TlsError(f"{where} does not accept this device's certificate ({reason}): {ENROL_AGAIN}")
    return TlsError(f"{where} does not speak TLS as expected ({reason}): check address, port and proxies")


def _fault(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in _WRONG_NAME:
        return "is made for other names: the operator needs an `orillo-cloud init --address` that covers it"
    if code in _CLOCK:
        return "is not valid at this time: check this device's clock and the operator's certificate"
    if code in _FOREIGN_CA:
        return (
            "is from a CA not trusted here: something answers in the operator's place, "
            "or the operator was made anew (then enrol again)"
        )
    return f"is not accepted: {error.verify_message}"


def _network(error: BaseException, where: str) -> ControlError | None:
    match error:
        case socket.gaierror():
            remedy = "check the name and this device's DNS servers"
            return UnreachableError(f"the name of {where} can't be resolved: {remedy}")
        case ConnectionRefusedError():
            remedy = "check that `orillo-cloud serve` runs there and that the port is right"
            return UnreachableError(f"{where} refuses connections: {remedy}")
        case ConnectionResetError() | BrokenPipeError():
            return UnreachableError(f"{where} closed the connection: trying again may help")
        case TimeoutError():
            return UnreachableError(f"{where} does not answer in time: check the uplink and firewalls")
        case OSError(errno=int(number)) if not isinstance(error, ssl.SSLError):
            # asyncio's own text says only that connecting failed, and where to.
            return UnreachableError(f"no way to {where} ({os.strerror(number)}): check the uplink")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that led to it, groups opened (anyio gathers one error per address tried)."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
