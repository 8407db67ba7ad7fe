# SPDX-License-Identifier: Apache-2.0
"""Manual pages and completions: every verb and option is in them, and their readers take them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orillo_pack import completions, manual
from orillo_pack.commands import Command, programs, walk

PROGRAMS = programs()
SHELLS = {"bash": completions.bash, "zsh": completions.zsh, "fish": completions.fish}


def flags(program: Command) -> set[str]:
    return {flag for command in walk(program) for option in command.options for flag in option.flags}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.words[0])
def test_manual_has_all_verbs_and_options(program: Command, tmp_path: Path) -> None:
    text = manual.page(program, "1.2.3", 0)
    plain = text.replace("\\-", "-")
    assert all(f".SS {' '.join(verb.words[1:])}" in plain for verb in program.verbs)
    assert all(flag in plain for flag in flags(program))
    if shutil.which("groff"):
        file = tmp_path / "page.8"
        file.write_text(text)
        words = ["groff", "-man", "-ww", "-Tutf8", "-rLL=80n", str(file)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        # Bold is a letter, a backspace, and the letter again.
        assert "EXIT STATUS" in re.sub(".\b", "", done.stdout)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.words[0])
def test_completion_is_one_that_the_shell_reads(program: Command, shell: str, tmp_path: Path) -> None:
    text = SHELLS[shell](program)
    assert all(verb.words[-1] in text for verb in program.verbs)
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    file = tmp_path / "completion"
    file.write_text(text)
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["orillo", "sta"], {"status"}),
        (["orillo", "daemon", "c"], {"charon"}),
        (["orillo", "--root", "/tmp", "upd"], {"update"}),
        (["orillo", "update", "--al"], {"--allow-downgrade"}),
        (["orillo", "status", "-o", ""], {"json"}),
        (["orillo-cloud", "token", "cr"], {"create"}),
    ],
)
def test_bash_offers_what_fits(words: list[str], expected: set[str], tmp_path: Path) -> None:
    program = next(one for one in PROGRAMS if one.words[0] == words[0])
    file = tmp_path / "completion"
    file.write_text(completions.bash(program))
    call = f'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); {completions.identifier(program)}'
    script = f'. {file}; {call}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == expected


def test_fish_offers_verbs() -> None:
    if shutil.which("fish") is None:
        pytest.skip("there is no fish here")
    text = completions.fish(PROGRAMS[0])
    done = subprocess.run(
        ["fish", "-c", f"{text}\ncomplete -C 'orillo st'"], capture_output=True, text=True, check=True
    )
    assert "status\t" in done.stdout
