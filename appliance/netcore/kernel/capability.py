# SPDX-License-Identifier: Apache-2.0
"""Can this kernel do our ESP? Found out by doing it, since neither version nor configuration file tells.

Kernel ESP is used with XFRM interfaces or not at all: policies without them can't be fail-closed, because the
route look-up comes before the policy's (ip-xfrm(8)).
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from appliance.netcore.errors import DoorError
from appliance.netcore.kernel.processes import run
from appliance.netcore.spec import TUNNEL_PREFIX, Capability, Ipsec

Run = Callable[..., Awaitable[bytes]]

_SPI = "0x74107410"
_SA = ("src", "127.0.0.1", "dst", "127.0.0.1", "proto", "esp", "spi", _SPI)
#: 16 octets of key and 4 of salt (RFC 4106, section 8.1). It protects nothing: no packet is ever sent.
_KEY = "0x" + "74" * 20
_AES_GCM = ("mode", "tunnel", "aead", "rfc4106(gcm(aes))", _KEY, "128")
_EXISTS = "File exists"
#: In seconds: with the first SA since its start the kernel loads and tests its ciphers.
_PATIENCE = 60.0
_LINK = f"{TUNNEL_PREFIX}probe"


async def probe(run: Run = run) -> Capability:
    """Make and remove one SA and one XFRM interface.

    Raises `DoorError` if there is no `ip` to ask with, or no answer within a minute: that is no lack.
    """
    try:
        await run("ip", "-V")
        await _try_esp(run)
        await _try_interface(run)
    except _LacksError as lack:
        return Capability(Ipsec.LIBIPSEC, str(lack))
    return Capability(Ipsec.KERNEL, "kernel ESP with AES-GCM and XFRM interfaces")


class _LacksError(Exception):
    """What the kernel can't do, in its own words."""


async def _try_esp(run: Run) -> None:
    await _attempt(
        run,
        "ESP with AES-GCM",
        ("ip", "xfrm", "state", "add", *_SA, *_AES_GCM),
        ("ip", "xfrm", "state", "delete", *_SA),
    )


async def _try_interface(run: Run) -> None:
    await _attempt(
        run,
        "XFRM interfaces",
        ("ip", "link", "add", _LINK, "type", "xfrm", "if_id", "7499"),
        ("ip", "link", "delete", _LINK),
    )


async def _attempt(run: Run, what: str, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    try:
        await run(*add, timeout=_PATIENCE)
    except DoorError as error:
        words = _words(error)
        if not words:
            raise
        # What exists already is another probe's, at this moment or from before a power cut: the kernel can.
        if _EXISTS not in str(error):
            raise _LacksError(f"no {what} in the kernel: {words}") from error
    with suppress(DoorError):
        await run(*remove)


def _words(error: DoorError) -> str:
    """What the kernel said, without the command that asked; empty if it said nothing."""
    return str(error).partition(": ")[2].removeprefix("RTNETLINK answers: ").removeprefix("Error: ")
