"""What commands print: tables for people, JSON for programs, progress where somebody watches, and questions."""

import getpass
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from ..installation import ROOT

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

T = TypeVar("T")
UNBOUNDED = 1_000_000
"""Columns of a pipe or a file, where a line is as long as it is."""
PLAIN: Mapping[str, Any] = {"highlight": False, "markup": False, "emoji": False}
"""What is printed is nobody's markup."""
NUMBER = re.compile(r"[-+]?\$?[\d,]*\.?\d+ ?(%|ms|s)?")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Results go to standard output, all else to standard error."""

    as_json: bool = False
    ask: Callable[[str], str] = input

    def say(self, text: str) -> None:
        print(text, flush=True)  # before what a command that follows prints itself

    def tell(self, text: str, **value: object) -> None:
        """An outcome in words, or as a JSON object with these members where that is asked for."""
        self.say(json.dumps(value, indent=2) if self.as_json else text)

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def show(
        self, value: object, titles: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "There are none."
    ) -> None:
        """The value as JSON where that is asked for, else the rows as a table."""
        if self.as_json:
            self.say(json.dumps(value, indent=2))
            return
        from rich.console import Console

        found = table(titles, rows)
        if not found.row_count:
            self.say(empty)
        elif sys.stdout.isatty():
            Console(**PLAIN).print(found)
        else:
            text = io.StringIO()
            Console(file=text, width=UNBOUNDED, **PLAIN).print(found)
            self.say("\n".join(map(str.rstrip, text.getvalue().splitlines())))

    def confirm(self, question: str) -> bool:
        return self.ask(f"{question} Type yes to do so: ").strip() == "yes"

    def screen(self) -> "Console":
        """The console on which progress is shown."""
        return _screen()

    def each(self, items: Iterable[T], count: int | None, what: Callable[[T], str]) -> Iterator[T]:
        """The items, each named on the terminal while it is worked on."""
        if not sys.stderr.isatty():
            yield from items
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
        with Progress(*columns, console=_screen(), transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
            task = progress.add_task("", total=count)
            for item in items:
                progress.update(task, description=printable(what(item)))
                yield item
                progress.advance(task)


@cache
def _screen() -> "Console":
    """The console on which progress is shown: one for all, since a step inside another one is shown below it."""
    from rich.console import Console

    return Console(stderr=True, **PLAIN)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
    """Numbers stand to the right; a column in which nothing is said is left out."""
    from rich.table import Table
    from rich.text import Text

    cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    columns = [column for column in range(len(titles)) if any(row[column] for row in cells)]
    for column in columns:
        is_number = all(NUMBER.fullmatch(row[column]) for row in cells if row[column])
        made.add_column(titles[column], justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        made.add_row(*(Text(row[column]) for column in columns))
    return made


def printable(text: str) -> str:
    """The text without characters that would move the cursor: names come from whoever made the key."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def cell(value: object) -> object:
    """A value of a table: a list as words, nothing for null and for an empty object."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value if value not in ({}, None) else ""


def usd(amount: object) -> str:
    """Dollars as people read them: cents, or as many digits as a small sum needs."""
    if not isinstance(amount, int | float):
        return ""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.9f}".rstrip("0")


def read_secret(prompt: str) -> str:
    """Reads a secret from a terminal without echo, else all that is piped in."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.read()


def run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 (our own words and the operator's)
