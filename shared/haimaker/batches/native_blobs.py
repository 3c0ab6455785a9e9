"""The lines and the answers of providers' batches, where functions work on them: in blobs.

batches/<id>.native.<name>             the lines of one, as they are sent
batches/<id>.answers.<name>.<number>   what it answered to the lines of one part of ours: a head of line, status and length, and
                                       so many bytes
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from haimaker.batches.parts import FOLDER
from haimaker.blobs import BlobStore

Answers = dict[int, tuple[int, bytes]]
"""Status and body by line."""


class BlobLines(NamedTuple):
    """See `native.PartLines`; each method raises BlobError."""

    blobs: BlobStore
    batch_id: str

    def put(self, name: str, lines: Iterable[bytes]) -> None:
        self.blobs.put(lines_of(self.batch_id, name), b"".join(lines), "text/plain")

    def lines(self, name: str) -> Iterator[bytes]:
        rest = b""
        for piece in self.blobs.pieces(lines_of(self.batch_id, name)):
            *ended, rest = (rest + piece).split(b"\n")
            yield from ended


def lines_of(batch_id: str, name: str) -> str:
    return f"{FOLDER}/{batch_id}.native.{name}"


def answers_of(batch_id: str, name: str, number: int) -> str:
    return f"{FOLDER}/{batch_id}.answers.{name}.{number:04d}"


def put_answers(blobs: BlobStore, key: str, answers: Answers) -> None:
    """Raises BlobError."""
    entries = (b"%d %d %d\n%s" % (line, status, len(body), body) for line, (status, body) in answers.items())
    blobs.put(key, b"".join(entries), "text/plain")


def read_answers(blobs: BlobStore, key: str) -> Answers:
    """Raises BlobError."""
    data, at, found = b"".join(blobs.pieces(key)), 0, Answers()
    while at < len(data):
        end = data.index(b"\n", at)
        line, status, length = map(int, data[at:end].split())
        at = end + 1 + length
        found[line] = (status, data[end + 1 : at])
    return found
