# SPDX-License-Identifier: Apache-2.0
"""The probe on this very kernel: whichever way it decides, it says why and leaves nothing behind."""

from collections.abc import Iterator

import pytest

from appliance.netcore.kernel.capability import probe
from appliance.netcore.spec import Ipsec
from tests.contract.namespace import ip, own_namespace


@pytest.fixture
def namespace() -> Iterator[None]:
    with own_namespace():
        yield


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_the_probe_decides_says_why_and_leaves_nothing() -> None:
    capability = await probe()
    assert capability.reason
    if capability.ipsec is Ipsec.LIBIPSEC:
        assert capability.reason.startswith("no ")
    assert ip("xfrm state") == ""
    assert "orillo" not in ip("link")
