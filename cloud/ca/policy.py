# SPDX-License-Identifier: Apache-2.0
"""What a certificate says, and for how long. Pure.

It follows from the operator's own record of the device. Of the request only the public key is used, since
whoever holds a token may write any name into a request.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.netcore.plan.identity import Identity

CA_VALIDITY = timedelta(days=3650)
LEAF_VALIDITY = timedelta(days=90)
#: Certificates begin in the past, so that a device whose clock is a little behind can use its own at once.
BACKDATE = timedelta(hours=1)


@dataclass(frozen=True)
class Window:
    """When a certificate is valid."""

    not_before: datetime
    not_after: datetime

    @property
    def renew_from(self) -> datetime:
        """Two thirds through its life, a certificate is to be replaced."""
        return self.not_before + (self.not_after - self.not_before) * 2 / 3


@dataclass(frozen=True)
class Leaf:
    """The names in a device's certificate.

    The first DNS name is what IKE proves, and the URI what the control endpoint reads: see `Identity`.
    """

    common_name: str
    dns_names: tuple[str, ...]
    uri: str


def leaf_of(identity: Identity) -> Leaf:
    """What the certificate of this record's device says."""
    return Leaf(
        common_name=identity.name,
        dns_names=(identity.ike_id, identity.endpoint_name),
        uri=identity.uri,
    )


def ca_window(now: datetime) -> Window:
    """The life of a CA certificate made now."""
    return Window(now - BACKDATE, now + CA_VALIDITY)


def leaf_window(now: datetime, ca: Window) -> Window:
    """The life of a leaf made now: never longer than the life of the CA that signs it."""
    return Window(max(now - BACKDATE, ca.not_before), min(now + LEAF_VALIDITY, ca.not_after))


def revocation_matters_from(now: datetime) -> datetime:
    """A leaf of an identity revoked before this has run out by now, and nobody has to be told of it."""
    return now - LEAF_VALIDITY - BACKDATE
