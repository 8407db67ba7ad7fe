# SPDX-License-Identifier: Apache-2.0
"""Manual pages, as man(7) wants them, of the commands' own descriptions."""

from collections.abc import Iterator
from datetime import UTC, datetime

from orillo_pack.commands import Argument, Command

_EXITS = {
    "0": "all is well, or it was done",
    "1": "a fault was found",
    "2": "the command was called wrongly",
    "3": "it can't run here, or was refused; the line on standard error says what to do",
    "4": "all that matters works, and something does not",
}
_FILES = {
    "orillo": {
        "/etc/orillo/orillo.toml": "settings, each with its meaning",
        "/etc/orillo/release-keys": "public keys (PEM) of who else may make releases for this device",
        "/var/lib/orillo": "identity, plans, and releases of the program",
        "/run/orillo/status.sock": "the status socket; who is in its group may look, root may change",
    },
    "orillo-cloud": {
        "/etc/orillo/cloud.toml": "settings",
        "/var/lib/orillo-cloud": "keys and store: back them up, and keep them secret",
        "/run/orillo-cloud/admin.sock": "where a running operator takes commands",
    },
}


def page(command: Command, version: str, epoch: int) -> str:
    """The page of a program, section 8."""
    name = command.words[0]
    date = f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d}"
    lines = [
        '.\\" SPDX-License-Identifier: Apache-2.0',
        f'.TH {_text(name).upper()} 8 "{date}" "Orillo {_text(version)}" "Orillo"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(command.text)}",
        ".SH SYNOPSIS",
        f".B {_text(name)}",
        "[\\fB\\-\\-root\\fR \\fIDIR\\fR] \\fIVERB\\fR [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        _text(command.description),
        ".SH OPTIONS",
        *(line for option in command.options for line in _argument(option)),
        ".SH VERBS",
    ]
    for verb in command.verbs:
        lines += _verb(verb)
    lines += [".SH EXIT STATUS", *(line for one in _EXITS.items() for line in _item(*one))]
    lines += [".SH FILES", *(line for one in _FILES[name].items() for line in _item(*one))]
    others = {"orillo": "orillo\\-cloud", "orillo-cloud": "orillo"}
    lines += [".SH SEE ALSO", f".BR {others[name]} (8)"]
    return "\n".join(lines) + "\n"


def _verb(verb: Command, depth: int = 1) -> Iterator[str]:
    yield ".SS " + _text(" ".join([*verb.words[depth:], *(_shown(one) for one in verb.operands)]))
    yield _text(_sentence(verb.description if verb.description != verb.text else verb.text))
    for argument in verb.arguments:
        yield from _argument(argument)
    if verb.epilog:
        yield ".PP"
        yield _text(_sentence(verb.epilog))
    for inner in verb.verbs:
        yield from _verb(inner, depth)


def _argument(argument: Argument) -> Iterator[str]:
    if not argument.flags:
        if argument.text:
            yield from _item(_shown(argument), argument.text)
        return
    flags = ", ".join(f"\\fB{_text(flag)}\\fR" for flag in argument.flags)
    value = f" \\fI{_text(argument.value)}\\fR" if argument.value else ""
    yield ".TP"
    yield flags + value
    yield _text(_sentence(argument.text))


def _shown(argument: Argument) -> str:
    return f"[{argument.value}]" if argument.optional else argument.value


def _item(name: str, text: str) -> tuple[str, str, str]:
    return ".TP", f"\\fB{_text(name)}\\fR", _text(_sentence(text))


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') or not text else '.'}"


def _text(text: str) -> str:
    """Nothing in it is an order to the formatter (groff(7))."""
    text = " ".join(text.replace("\\", "\\e").replace("-", "\\-").replace("`", "").split())
    return f"\\&{text}" if text.startswith((".", "'")) else text
