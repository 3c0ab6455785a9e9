"""The answers of a provider's batch: fetched into a file, found by their lines, and settled one after another.

Each is settled under an id that the part and the line make, so that one that was read before, by a process that died, is charged
once and still has its row.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from haimaker.adapters import batch_formats
from haimaker.adapters.batch_formats import ENDED, BatchFormat, BatchStatus
from haimaker.batches.native import NativePart, PartLines, ProviderCalls, items_of
from haimaker.http.client import TransportError, read_whole
from haimaker.http.errors import BadGatewayError
from haimaker.http.values import UpstreamRequest

LONGEST_REFUSAL = 500


class AnswerAt(NamedTuple):
    """The status of an answer, and its place in the file."""

    status: int
    offset: int
    length: int


class PartAnswers:
    """The answers of one part, by line. Raises APIError, TransportError and OSError when it is made."""

    def __init__(self, part: NativePart, calls: ProviderCalls, files: PartLines, path: Path) -> None:
        self._path, self._found = path, dict[int, AnswerAt]()
        wire = batch_formats.find(calls.rules(part.provider).format)
        lines = [number for number, _ in items_of(part, files)]
        sent, custom_ids = set(lines), [part.custom_id(number) for number in lines]
        with path.open("wb") as file:
            for call in _to_fetches(wire, part, calls):
                for answer in wire.from_results(_open(part, calls, call), custom_ids):
                    line = part.line_of(answer.custom_id)
                    if line in sent and line not in self._found and answer.status is not None:
                        self._found[line] = AnswerAt(answer.status, file.tell(), len(answer.body))
                        file.write(answer.body)

    def __contains__(self, line: int) -> bool:
        return line in self._found

    def __len__(self) -> int:
        return len(self._found)

    def read(self, line: int) -> tuple[int, bytes]:
        """The status and the body of a line's answer."""
        at = self._found[line]
        with self._path.open("rb") as file:
            file.seek(at.offset)
            return at.status, file.read(at.length)


def _to_fetches(wire: BatchFormat, part: NativePart, calls: ProviderCalls) -> Iterator[UpstreamRequest]:
    """The calls that fetch answers. Raises APIError, TransportError."""
    status = BatchStatus(part.batch_id, ENDED, tuple(part.results))
    from_listing = getattr(wire, "from_listing", None)
    for call in wire.to_results(status):
        if from_listing:
            yield from from_listing(read_whole(_open(part, calls, call)), status)
        else:
            yield call


def _open(part: NativePart, calls: ProviderCalls, call: UpstreamRequest) -> Iterator[bytes]:
    """Raises APIError, TransportError."""
    response = calls.send(part.provider, call, part.headers)
    if 200 <= response.status < 300:
        return response.pieces
    said = read_whole(response.pieces)[:LONGEST_REFUSAL].decode("utf-8", "replace")
    raise BadGatewayError(f"The answers of a batch can't be read: {response.status}: {said}")


class FolderFiles(NamedTuple):
    """The lines of parts in a folder."""

    folder: Path

    def append(self, name: str, line: bytes) -> None:
        with self._path(name).open("ab") as file:
            file.write(line)

    def lines(self, name: str) -> Iterator[bytes]:
        with self._path(name).open("rb") as file:
            yield from file

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"part-{name}.jsonl"


FETCH_ERRORS = (BadGatewayError, TransportError)
