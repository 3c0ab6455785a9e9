"""`haimaker completion bash` or `zsh`: a script that completes commands and options. `eval "$(haimaker completion bash)"`."""

import argparse
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from .context import Context


def add_with(parser: Callable[[], argparse.ArgumentParser]) -> Callable[[Any], None]:
    """`parser` makes the one whose words are completed."""

    def add(commands: Any) -> None:
        made = commands.add_parser("completion", help="complete commands and options in a shell", description=__doc__)
        made.add_argument("shell", choices=tuple(SCRIPTS))
        made.set_defaults(run=lambda context: show(context, parser()))

    return add


def show(context: Context, parser: argparse.ArgumentParser) -> int:
    context.terminal.say(SCRIPTS[context.arguments.shell](list(words(parser))).rstrip("\n"))
    return 0


def words(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """What may follow each command: its sub-commands and its options."""
    found: list[str] = []
    for action in parser._actions:
        found += [option for option in action.option_strings if option.startswith("--")]
        if isinstance(action, argparse._SubParsersAction):
            found += action.choices
            for name, sub in action.choices.items():
                yield from words(sub, (*path, name))
        elif action.choices and not action.option_strings:
            found += map(str, action.choices)
    yield path, found


def _bash(commands: list[tuple[tuple[str, ...], list[str]]]) -> str:
    """The words that may follow are those of the longest command that the line begins with; else files."""
    cases = "\n".join(f"    {shlex.quote(' '.join(path))}) words={shlex.quote(' '.join(found))} ;;" for path, found in commands)
    names = " ".join(shlex.quote(" ".join(path)) for path, _ in commands if path)
    return f"""_haimaker() {{
  local path="" word words="" current="${{COMP_WORDS[COMP_CWORD]}}" known=({names})
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    for each in "${{known[@]}}"; do
      if [ "$each" = "${{path:+$path }}$word" ]; then path="$each"; break; fi
    done
  done
  case "$path" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _haimaker haimaker
"""


def _zsh(commands: list[tuple[tuple[str, ...], list[str]]]) -> str:
    return f"autoload -Uz bashcompinit compinit && compinit && bashcompinit\n{_bash(commands)}"


SCRIPTS: dict[str, Callable[[list[tuple[tuple[str, ...], list[str]]]], str]] = {"bash": _bash, "zsh": _zsh}
