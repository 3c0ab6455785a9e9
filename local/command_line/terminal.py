"""What commands print: tables for people, JSON for programs, progress where somebody watches, and questions."""

import getpass
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..installation import ROOT

T = TypeVar("T")
NUMBER = re.compile(r"[-+]?\$?[\d,]*\.?\d+ ?(%|ms|s)?")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Results go to standard output, all else to standard error."""

    as_json: bool = False
    ask: Callable[[str], str] = input

    def say(self, text: str) -> None:
        print(text, flush=True)  # before what a command that follows prints itself

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def show(
        self, value: object, titles: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "There are none."
    ) -> None:
        """The value as JSON where that is asked for, else the rows as a table."""
        if self.as_json:
            self.say(json.dumps(value, indent=2))
            return
        lines = table(titles, rows)
        self.say("\n".join(lines) if len(lines) > 1 else empty)

    def confirm(self, question: str) -> bool:
        return self.ask(f"{question} Type yes to do so: ").strip() == "yes"

    def each(self, items: Iterable[T], count: int | None, what: Callable[[T], str]) -> Iterator[T]:
        """The items, each named on the terminal while it is worked on."""
        shown = sys.stderr.isatty()
        for number, item in enumerate(items, 1):
            if shown:
                of = f"/{count}" if count else ""
                print(f"\r\x1b[K{number}{of} {printable(what(item))} ...", end="", file=sys.stderr, flush=True)
            yield item
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of aligned columns, numbers to the right; a column in which nothing is said is left out."""
    cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
    columns = [column for column in range(len(titles)) if any(row[column] for row in cells)]
    widths = {column: max(len(titles[column]), *(len(row[column]) for row in cells)) for column in columns}
    to_the_right = {column for column in columns if all(NUMBER.fullmatch(row[column]) for row in cells if row[column])}

    def line(texts: Sequence[str]) -> str:
        aligned = (
            texts[column].rjust(widths[column]) if column in to_the_right else texts[column].ljust(widths[column])
            for column in columns
        )
        return "  ".join(aligned).rstrip()

    return [line(titles), *map(line, cells)]


def printable(text: str) -> str:
    """Without what would move the cursor: names come from whoever made the key."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def usd(amount: object) -> str:
    """Dollars as people read them: cents, or as many digits as a small sum needs."""
    if not isinstance(amount, int | float):
        return ""
    if amount == 0 or abs(amount) >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.9f}".rstrip("0")


def read_secret(prompt: str) -> str:
    """Without echo from a terminal, else all that is piped in."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.read()


def run(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 (our own words and the operator's)
