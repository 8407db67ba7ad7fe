# SPDX-License-Identifier: Apache-2.0
"""A block of digests is to its callers what a dict of them would be."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.netcore.reconcile.remembered import Remembered, digest

names = st.integers(0, 60).map(str)
steps = st.lists(st.tuples(st.sampled_from(["remember", "forget"]), names, st.integers(0, 9)), max_size=200)


@given(steps)
def test_it_remembers_what_a_dict_would(steps: list[tuple[str, str, int]]) -> None:
    block, model = Remembered(), dict[str, tuple[bytes, bytes]]()
    for step, name, value in steps:
        if step == "remember":
            model[name] = digest(str(value)), digest(name * value)
            block.remember(name, *model[name])
        else:
            model.pop(name, None)
            block.forget(name)
    assert {name: block.recall(name) for name in map(str, range(61))} == {
        name: model.get(name) for name in map(str, range(61))
    }


def test_a_thousand_names_take_one_object() -> None:
    block = Remembered()
    for number in range(1000):
        block.remember(f"peer{number}", digest("first"), digest(str(number)))
    assert block.recall("peer7") == (digest("first"), digest("7"))
    assert block.recall("peer1000") is None
    assert len(block._block) <= 1000 * 48 * 4
