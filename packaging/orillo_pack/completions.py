# SPDX-License-Identifier: Apache-2.0
"""What bash, zsh and fish offer after TAB, of the commands' own descriptions."""

from collections.abc import Iterator

from orillo_pack.commands import Argument, Command, walk

_HEAD = "# SPDX-License-Identifier: Apache-2.0\n"


def bash(program: Command) -> str:
    """A completion for bash(1); it needs nothing of the package bash-completion."""
    name = identifier(program)
    cases = "\n".join(_bash_case(command) for command in walk(program))
    return f"""{_HEAD}{name}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} path= at= skip= words=
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [ -n "$skip" ]; then skip=; continue; fi
    case ${{COMP_WORDS[at]}} in
      --root) skip=yes ;;
      -*) ;;
      *) case " {" ".join(_paths(program))} " in
        *" $path${{path:+/}}${{COMP_WORDS[at]}} "*) path=$path${{path:+/}}${{COMP_WORDS[at]}} ;;
      esac ;;
    esac
  done
  COMPREPLY=()
  case $path:$before in
{_bash_values(program)}
  esac
  case $path in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ ${{#COMPREPLY[@]}} -gt 0 ] || case $word in -*) ;; *) COMPREPLY=($(compgen -f -- "$word")) ;; esac
}}
complete -o filenames -F {name} {program.words[0]}
"""


def _paths(program: Command) -> Iterator[str]:
    for command in walk(program):
        if command.words[1:]:
            yield "/".join(command.words[1:])


def _bash_case(command: Command) -> str:
    words = [verb.words[-1] for verb in command.verbs]
    words += [flag for option in _with_help(command) for flag in option.flags]
    words += [choice for operand in command.operands for choice in operand.choices]
    return f'    "{"/".join(command.words[1:])}") words="{" ".join(words)}" ;;'


def _bash_values(program: Command) -> str:
    lines = ['    *:--root) COMPREPLY=($(compgen -d -- "$word")); return ;;']
    for command in walk(program):
        for option in command.options:
            if option.value and "--root" not in option.flags:
                place = "|".join(f'"{"/".join(command.words[1:])}":{flag}' for flag in option.flags)
                kind = (
                    f'-W "{" ".join(option.choices)}"' if option.choices else "-f" if option.is_file else ""
                )
                reply = f'COMPREPLY=($(compgen {kind} -- "$word")); ' if kind else ""
                lines.append(f"    {place}) {reply}return ;;")
    return "\n".join(lines)


def zsh(program: Command) -> str:
    """A completion for zsh(1), to be found on its `fpath` as `_PROGRAM`."""
    functions = "\n".join(_zsh_function(command) for command in walk(program))
    return f'#compdef {program.words[0]}\n{_HEAD}{functions}\n{identifier(program)} "$@"\n'


def _zsh_function(command: Command) -> str:
    specs = [_zsh_option(option) for option in _with_help(command)]
    specs += [
        f"'{':' if one.optional else ''}:{_zsh_text(one.value)}:{_zsh_values(one)}'"
        for one in command.operands
    ]
    if not command.verbs:
        return f"{identifier(command)}() {{\n  _arguments {_joined(specs)}\n}}"
    verbs = " ".join(f"'{verb.words[-1]}:{_zsh_text(verb.text)}'" for verb in command.verbs)
    cases = "\n".join(f"      {verb.words[-1]}) {identifier(verb)} ;;" for verb in command.verbs)
    specs = [spec for spec in specs if spec.startswith(("'-", "{"))]
    return f"""{identifier(command)}() {{
  local state line
  local -a verbs=({verbs})
  _arguments -C {_joined([*specs, "'1:verb:->verb'", "'*::argument:->rest'"])}
  case $state in
    verb) _describe verb verbs ;;
    rest) case $line[1] in
{cases}
    esac ;;
  esac
}}"""


def _joined(specs: list[str]) -> str:
    return " \\\n    ".join(specs) if specs else "'*:: :'"


def _zsh_option(option: Argument) -> str:
    value = f":{_zsh_text(option.value)}:{_zsh_values(option)}" if option.value else ""
    text = f"[{_zsh_text(option.text)}]{value}"
    if len(option.flags) == 1:
        return f"'{option.flags[0]}{text}'"
    return f"{{{','.join(option.flags)}}}'{text}'"


def _zsh_values(argument: Argument) -> str:
    if argument.choices:
        return f"({' '.join(argument.choices)})"
    return "_files" if argument.is_file else " "


def _zsh_text(text: str) -> str:
    for mark in ("[", "]", ":"):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("'", "'\\''")


def fish(program: Command) -> str:
    """A completion for fish(1)."""
    lines = []
    for command in walk(program):
        place = _fish_place(command)
        lines += [f"{place} -f -a {verb.words[-1]} -d {_fish_text(verb.text)}" for verb in command.verbs]
        lines += [f"{place} -f -a '{' '.join(one.choices)}'" for one in command.operands if one.choices]
        lines += [f"{place} {_fish_option(option)}" for option in _with_help(command)]
    return _HEAD + "\n".join(lines) + "\n"


def _fish_place(command: Command) -> str:
    name, *path = command.words
    inner = [verb.words[-1] for verb in command.verbs]
    tests = [f"__fish_seen_subcommand_from {word}" for word in path]
    if inner:
        tests.append(f"not __fish_seen_subcommand_from {' '.join(inner)}")
    return f"complete -c {name}" + (f" -n '{'; and '.join(tests)}'" if tests else "")


def _fish_option(option: Argument) -> str:
    words = [f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags]
    if option.value:
        words.append("-r")
        words.append(
            f"-f -a '{' '.join(option.choices)}'" if option.choices else "-F" if option.is_file else "-f"
        )
    return " ".join([*words, f"-d {_fish_text(option.text)}"])


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _with_help(command: Command) -> tuple[Argument, ...]:
    return *command.options, Argument(("-h", "--help"), "", "show this")


def identifier(command: Command) -> str:
    """The name of its function in a shell."""
    return "_" + "_".join(word.replace("-", "_") for word in command.words)
