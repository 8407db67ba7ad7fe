# SPDX-License-Identifier: Apache-2.0
"""The pictures of the documentation are what the program shows; `./dev pictures` makes them anew."""

import pytest

from tests.tui.pictures import PICTURES, overview, texts


@pytest.mark.parametrize("name", sorted(texts()))
def test_the_screens_are_as_pictured(name: str) -> None:
    assert (PICTURES / name).read_text() == texts()[name]


def test_the_readme_shows_the_screen_as_it_is() -> None:
    readme = (PICTURES.parents[1] / "README.md").read_text()
    assert f"```text\n{overview()}```" in readme
    assert "docs/pictures/tui.svg" in readme
