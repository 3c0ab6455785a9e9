"""The parts of a batch that functions work on: ranges of its lines, each with a document of what is known of it.

A part is worked on by one function at a time, which writes into the document until when it has it, a minute from its last sign of
life (`heart.py`). What is answered
is written to blobs, each some entries of a journal (`journal.py`), about one a second; the document lists them, so that one which
a function wrote that was late is none of the part's. Its sums are written with them.

Lines that are in batches of their providers' own (`native_steps.py`) are noted by their part, with the names of those for which it
waits: the ones whose answers it has not settled. It is `asked` when all its other lines are answered.
"""

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from haimaker.batches import Batch
from haimaker.batches.journal import Sums
from haimaker.blobs import BlobStore
from haimaker.http.values import JSON
from haimaker.store.documents import Document, Documents

KIND = "batch_parts#"
"""The kind of documents: a batch's parts by their numbers."""
FOLDER = "batches"
"""The first name of the keys of blobs: a batch's lines, and its segments."""
PART_LINES, PART_BYTES = 200, 4 * 1024 * 1024
"""Of a part, whatever comes first, but one line at least: a function has one as a whole, and there may be 1,000 of a batch."""


class Part(NamedTuple):
    batch_id: str
    number: int
    version: int
    body: JSON

    @property
    def is_done(self) -> bool:
        """Whether each of its lines has an answer."""
        return bool(self.body["done"])

    @property
    def sums(self) -> Sums:
        completed, failed, cost, tokens = self.body["sums"]
        return Sums(completed, failed, cost, (tokens[0], tokens[1], tokens[2], tokens[3]))

    @property
    def native(self) -> dict[str, list[int]]:
        """The lines of the part, from 0, that are in providers' batches, by the names of these."""
        bits = {name: int(text, 16) for name, text in self.body.get("native", {}).items()}
        return {name: [line for line in range(self.body["lines"]) if each >> line & 1] for name, each in bits.items()}

    def has_work(self, unread: Container[str], *, over: bool) -> bool:
        """Whether something is to be done for it: lines are to be asked, unless all is over, or one of the providers' batches for
        which it waits is not among the `unread`."""
        if self.is_done:
            return False
        return any(name not in unread for name in self.body.get("waits", ())) or not (over or self.body.get("asked"))

    @property
    def segments(self) -> list[str]:
        """The keys of its blobs."""
        return [segment_key(self.batch_id, self.number, *each) for each in self.body["segments"]]


class Cutter:
    """Cuts lines into parts as they come."""

    def __init__(self) -> None:
        self.parts: list[JSON] = []

    def add(self, start: int, size: int) -> None:
        last = self.parts[-1] if self.parts else None
        if last is None or last["lines"] >= PART_LINES or start + size - last["start"] > PART_BYTES:
            first = last["first"] + last["lines"] if last else 0
            last = {"first": first, "lines": 0, "start": start, "end": start}
            last |= {
                "done": False,
                "deliveries": 0,
                "unclean": [],
                "taken_until": 0,
                "segments": [],
                "sums": [0, 0, 0, [0, 0, 0, 0]],
                "native": {},
                "waits": [],
                "asked": False,
            }
            self.parts.append(last)
        last["lines"] += 1
        last["end"] = start + size


def assign(parts: Sequence[JSON], name: str, lines: Iterable[int]) -> None:
    """Notes in the bodies of parts which of their lines are in a provider's batch, and which parts have no others."""
    firsts, bits = [part["first"] for part in parts], dict[int, int]()
    for line in lines:
        number = bisect_right(firsts, line) - 1
        bits[number] = bits.get(number, 0) | 1 << (line - firsts[number])
    for number, found in bits.items():
        part = parts[number]
        part["native"][name] = f"{found:x}"
        part["waits"].append(name)
        part["asked"] = sum(int(each, 16).bit_count() for each in part["native"].values()) == part["lines"]


class PartDirectory(NamedTuple):
    """Parts in the store. Every method raises StoreUnavailable."""

    documents: Documents

    def add(self, batch_id: str, parts: Sequence[JSON]) -> None:
        """Adds parts, in the place of those that were added before: a batch that is begun once more may be planned in another
        way."""
        for number, body in enumerate(parts):
            if not self.documents.put(KIND + batch_id, Document(_name(number), body, 0)):
                found = self.documents.get(KIND + batch_id, _name(number))
                self.documents.put(KIND + batch_id, Document(_name(number), body, found.version if found else 0))

    def get(self, batch_id: str, number: int) -> Part | None:
        """The part as it is now; None if it is gone."""
        found = self.documents.get(KIND + batch_id, _name(number))
        return _from_document(batch_id, found) if found else None

    def all(self, batch_id: str) -> list[Part]:
        """Changes of the last second may be missing."""
        return [_from_document(batch_id, found) for found in self.documents.all(KIND + batch_id)]

    def current(self, batch_id: str, numbers: Iterable[int]) -> list[Part]:
        """Some of them as they are now; one that is done stays so."""
        known = {part.number: part for part in self.all(batch_id) if part.is_done}
        found = (known.get(each) or self.get(batch_id, each) for each in numbers)
        return [part for part in found if part]

    def put(self, part: Part, **fields: object) -> Part | None:
        """The part as it is then kept; None if it was changed meanwhile."""
        body = {**part.body, **fields}
        if self.documents.put(KIND + part.batch_id, Document(_name(part.number), body, part.version)):
            return part._replace(version=part.version + 1, body=body)
        return None

    def delete(self, part: Part) -> None:
        self.documents.delete(KIND + part.batch_id, _name(part.number))

    def with_progress(self, batch: Batch) -> Batch:
        """A batch with the sums of its parts, while they are worked on."""
        if batch.has_ended or not batch.body.get("lanes"):
            return batch
        return batch.with_fields(**sum_up(self.all(batch.id)))


def sum_up(parts: Sequence[Part], extra_nanousd: int = 0) -> JSON:
    """The fields of a batch that its parts' sums make."""
    sums = [part.sums for part in parts]
    return {
        "completed": sum(each.completed for each in sums),
        "failed": sum(each.failed for each in sums),
        "cost_nanousd": sum(each.cost_nanousd for each in sums) + extra_nanousd,
        "tokens": [sum(counts) for counts in zip(*(each.tokens for each in sums), strict=True)] or [0, 0, 0, 0],
    }


def segment_key(batch_id: str, number: int, delivery: int, segment: int) -> str:
    return f"{FOLDER}/{batch_id}.{number:04d}.{delivery}.{segment}"


def lines_key(batch_id: str) -> str:
    return f"{FOLDER}/{batch_id}.lines"


def read_segments(blobs: BlobStore, part: Part) -> Iterator[bytes]:
    """Raises BlobNotFound, BlobError."""
    for key in part.segments:
        yield from blobs.pieces(key)


def _name(number: int) -> str:
    return f"{number:04d}"


def _from_document(batch_id: str, document: Document) -> Part:
    return Part(batch_id, int(document.name), document.version, document.body)
