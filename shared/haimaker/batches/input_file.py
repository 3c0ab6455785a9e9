"""A batch's lines as they were sent, in a file of the folder of the batch."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from haimaker.batches.lines import RawLine, split_at

NAME = "input.jsonl"


def write_input(folder: Path, pieces: Iterable[bytes]) -> None:
    """Leaves the whole file or none. Raises OSError."""
    coming = folder / ".coming"
    with coming.open("wb") as file:
        file.writelines(pieces)
    coming.replace(folder / NAME)


def read_input(folder: Path) -> Iterator[RawLine]:
    """Yields nothing where there is no file: a batch may be cancelled before it begins."""
    path = folder / NAME
    if path.exists():
        with path.open("rb") as file:
            yield from split_at(_read(file))


def _read(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(256 * 1024):
        yield piece
