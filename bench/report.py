"""Figures and the table they are printed in. Pure, apart from asking what machine this is."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, the goal, and what else the same run saw."""

    what: str
    measured: str
    goal: str
    met: bool | None
    """None where there is no goal."""
    beside: str = ""
    values: Mapping[str, float | int | str] = field(default_factory=dict)
    """The numbers behind the words, named with their units."""


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def table(figures: Sequence[Figure]) -> str:
    """Markdown that also reads well on a terminal."""
    rows = [("what", "measured", "goal", "", "beside it, in the same run")]
    rows += [(figure.what, figure.measured, figure.goal, _verdict(figure), figure.beside) for figure in figures]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def _verdict(figure: Figure) -> str:
    return "" if figure.met is None else "met" if figure.met else "MISSED"
