# SPDX-License-Identifier: Apache-2.0
"""The commands as data, read from their own argparse definitions: what manual and completions are made of."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.cli.arguments import parser as appliance_parser
from cloud.cli.main import VERBS as CLOUD_VERBS

#: Words for an argument that a shell completes by file names.
_FILES = ("FILE", "DIR")


@dataclass(frozen=True)
class Argument:
    """One argument; with `flags` it is an option. `value` is what it takes, empty for a switch."""

    flags: tuple[str, ...]
    value: str
    text: str
    choices: tuple[str, ...] = ()
    optional: bool = True

    @property
    def is_file(self) -> bool:
        return any(word in self.value for word in _FILES)


@dataclass(frozen=True)
class Command:
    """A program or one of its verbs. `words` are what one types to get there."""

    words: tuple[str, ...]
    text: str
    description: str
    epilog: str
    arguments: tuple[Argument, ...]
    verbs: tuple["Command", ...] = ()

    @property
    def options(self) -> tuple[Argument, ...]:
        return tuple(one for one in self.arguments if one.flags)

    @property
    def operands(self) -> tuple[Argument, ...]:
        return tuple(one for one in self.arguments if not one.flags)


def programs() -> tuple[Command, ...]:
    """`orillo` and `orillo-cloud`."""
    return _read(appliance_parser(), ("orillo",), "the network edge of a Kubernetes fabric"), _cloud()


def _cloud() -> Command:
    root = Argument(("--root",), "DIR", "move every path below DIR")
    verbs = []
    for name, (text, load) in CLOUD_VERBS.items():
        verb = argparse.ArgumentParser(prog=f"orillo-cloud {name}", description=text)
        load().declare(verb)
        verbs.append(_read(verb, ("orillo-cloud", name), text))
    description = (
        "Turn inventory and intent into one signed plan for each device, and hand these out over HTTPS."
    )
    text = "the operator of an Orillo fabric"
    return Command(("orillo-cloud",), text, description, "", (root,), tuple(verbs))


def _read(parser: argparse.ArgumentParser, words: tuple[str, ...], text: str) -> Command:
    arguments: list[Argument] = []
    verbs: list[Command] = []
    for action in parser._actions:  # noqa: SLF001 -- there is no other way to read a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {one.dest: one.help or "" for one in action._choices_actions}  # noqa: SLF001
            verbs += [
                _read(verb, (*words, name), helps.get(name, "")) for name, verb in action.choices.items()
            ]
        elif not isinstance(action, argparse._HelpAction):  # noqa: SLF001
            arguments.append(_argument(action))
    return Command(
        words, text, parser.description or text, parser.epilog or "", tuple(arguments), tuple(verbs)
    )


def _argument(action: argparse.Action) -> Argument:
    takes = action.nargs != 0
    choices = tuple(str(choice) for choice in action.choices or ())
    name = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    value = ("|".join(choices) if choices else name) if takes else ""
    return Argument(
        tuple(action.option_strings),
        value,
        (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%"),
        choices,
        not action.required,
    )


def walk(command: Command) -> Iterable[Command]:
    """A command and all below it."""
    yield command
    for verb in command.verbs:
        yield from walk(verb)
