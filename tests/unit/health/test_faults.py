# SPDX-License-Identifier: Apache-2.0
"""Every condition is injected by the benchmark, or it is written down why not; and the document says so."""

from collections import Counter

from appliance.checks.tunnels import reason_code
from appliance.netcore.health.catalogue import KINDS
from tests.bench.faults.all import FAULTS, NOT_INJECTED, PAIRS
from tests.bench.faults.document import FILE, document


def test_each_condition_is_injected_or_has_a_reason_why_not() -> None:
    injected = {fault.expect for fault in FAULTS}
    assert injected | NOT_INJECTED.keys() == KINDS.keys()
    assert not injected & NOT_INJECTED.keys()


def test_names_are_unique_and_pairs_name_a_root() -> None:
    names = Counter(fault.name for fault in (*FAULTS, *PAIRS))
    assert max(names.values()) == 1
    assert {pair.expect for pair in PAIRS} <= KINDS.keys()


def test_document_is_up_to_date() -> None:
    """`python -m tests.bench.faults.document` makes it anew."""
    assert FILE.read_text() == document()


def test_charons_words_for_what_no_lab_can_make() -> None:
    assert reason_code("constraint check failed: identity 'hub1' required, not matched by 'hub2'") == (
        "ike-wrong-identity"
    )
    assert reason_code("no private key found for 'shop1.lab'") == "ike-no-credentials"
