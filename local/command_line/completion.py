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


def _function(commands: list[tuple[tuple[str, ...], list[str]]], before: str, offer: str) -> str:
    """A function for a shell in which `before` are the words before the one that is completed. The words that may follow are those
    of the longest command that the line begins with, in `next`; zsh has `path` and `words` for itself."""
    cases = "\n".join(f"    {shlex.quote(' '.join(path))}) next={shlex.quote(' '.join(found))} ;;" for path, found in commands)
    names = " ".join(shlex.quote(" ".join(path)) for path, _ in commands if path)
    return f"""_haimaker() {{
  local at="" word each next="" known=({names})
  for word in {before}; do
    for each in "${{known[@]}}"; do
      if [ "$each" = "${{at:+$at }}$word" ]; then at="$each"; break; fi
    done
  done
  case "$at" in
{cases}
  esac
  {offer}
}}
"""


def _bash(commands: list[tuple[tuple[str, ...], list[str]]]) -> str:
    """https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html"""
    offer = 'COMPREPLY=($(compgen -W "$next" -- "${COMP_WORDS[COMP_CWORD]}"))'
    return _function(commands, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"', offer) + "complete -o default -F _haimaker haimaker\n"


def _zsh(commands: list[tuple[tuple[str, ...], list[str]]]) -> str:
    """https://zsh.sourceforge.io/Doc/Release/Completion-System.html"""
    function = _function(commands, '"${(@)words[2,CURRENT-1]}"', "compadd -- ${=next} || _files")
    return f"autoload -Uz compinit && compinit\n{function}compdef _haimaker haimaker\n"


SCRIPTS: dict[str, Callable[[list[tuple[tuple[str, ...], list[str]]]], str]] = {"bash": _bash, "zsh": _zsh}
