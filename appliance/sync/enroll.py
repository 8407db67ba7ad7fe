# SPDX-License-Identifier: Apache-2.0
"""Enrolment: from a token to an identity on disk, or to nothing at all (RFC 7030, sections 4.1 and 4.2)."""

from appliance.netcore.plan.token import Token
from appliance.paths import Paths
from appliance.sync.client import unverified, verified
from appliance.sync.errors import IdentityError
from appliance.sync.identity import DeviceIdentity, TrustFile, commit, staging, write_key
from appliance.sync.identity_keys import (
    fingerprint,
    make_csr,
    read_certificates,
    read_new_leaf,
)
from appliance.sync.pending import key_to_ask_with
from appliance.sync.proxy import Proxy, proxy_of


async def enroll(paths: Paths, token: Token, name: str = "") -> DeviceIdentity:
    """Redeem the token for a key of ours, and keep what comes back in place of any identity before.

    `name` says who this is to a token for several devices; one for a single device knows it. Raises
    `DoorError`; then everything is as it was. Only if no answer came, the key stays for the next try: should
    the token be spent, it is good for that key again.
    """
    proxy = proxy_of(paths)
    ca = await _pinned_ca(token, proxy)
    with key_to_ask_with(paths) as key, staging(paths) as staged:
        write_key(staged, key)
        async with verified(token, ca, proxy) as client:
            # Asked first: should it fail, the token is still good.
            trust = await client.trust()
            answer = await client.enrol(make_csr(key, name))
        leaf = read_new_leaf(answer, key, ca)
        stored = TrustFile(
            identity=leaf.identity,
            enroll_url=token.enroll_url,
            control_url=token.control_url,
            plan_keys=trust.plan_keys,
            not_before=leaf.not_before,
            not_after=leaf.not_after,
        )
        return commit(paths, staged, stored, leaf.pem, [text.encode() for text in trust.ca])


async def _pinned_ca(token: Token, proxy: Proxy | None) -> tuple[bytes, ...]:
    """The CA certificate that the token vouches for; the token's secret has not been sent yet."""
    async with unverified(token, proxy) as client:
        offered = read_certificates(await client.ca_certificates())
    pinned = tuple(pem for pem in offered if fingerprint(pem) == token.ca_pin)
    if not pinned:
        raise IdentityError(
            f"the CA at {token.enroll_url} is not the one that the token vouches for: the token is another "
            "operator's, or something on the way answers in its place. The token was not sent; compare the "
            "address with the operator, and get a token of this cluster with "
            "`orillo-cloud token create --name NODE`"
        )
    return pinned
