"""The files of a batch that ends, made of the journals of its parts one after another, none of which is held as a whole."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from haimaker.batches import Batch
from haimaker.batches.ending import describe, error_rows
from haimaker.batches.journal import OUTPUT, Journal
from haimaker.batches.lines import split
from haimaker.batches.part_run import Tools, find_requests
from haimaker.batches.parts import Part, lines_key, read_segments


class RowFiles:
    def __init__(self, tools: Tools, batch: Batch, ends_as: str) -> None:
        self._tools, self._batch, self._ends_as = tools, batch, ends_as

    def _journal(self, part: Part, folder: str) -> Journal:
        path = Path(folder) / "journal"
        with path.open("wb") as file:
            file.writelines(read_segments(self._tools.blobs, part))
        return Journal(path, part.body["lines"])

    def _rows(self, parts: list[Part], kind: str) -> Iterator[bytes]:
        """The rows of one kind, in the order of the lines. Lines that were not answered have theirs in the error file."""
        for part in parts:
            sums = part.sums
            if part.is_done and not (sums.completed if kind == OUTPUT else sums.failed):
                continue
            with TemporaryDirectory() as folder:
                journal = self._journal(part, folder)
                if kind == OUTPUT or part.is_done:
                    yield from (row for _, row in journal.rows(kind))
                else:
                    data = self._tools.blobs.get_range(lines_key(part.batch_id), part.body["start"], part.body["end"])
                    yield from error_rows(journal, split([data]), self._batch.body["endpoint"], self._ends_as)
                journal.close()

    def unanswered_nanousd(self, part: Part) -> int:
        """What the requests cost of lines without an answer."""
        if not part.body["deliveries"]:
            return 0
        store, cost_nanousd = self._tools.store, 0
        with TemporaryDirectory() as folder:
            journal = self._journal(part, folder)
            journal.close()
        for line in range(part.body["lines"]):
            if not journal.is_done(line):
                found = {*journal.begun.get(line, ()), *find_requests(store, part, line, part.body["unclean"])}
                records = map(store.record, found)
                cost_nanousd += sum(record.cost_nanousd for record in records if record)
        return cost_nanousd

    def store(self, name: str, parts: list[Part], kind: str) -> str | None:
        """Makes a file of the rows of a kind and returns its id; none of no rows. Raises StoreUnavailable, BlobError."""
        batch, rows = self._batch, self._rows(parts, kind)
        first = next(rows, None)
        if first is None:
            return None

        def pieces() -> Iterator[bytes]:
            yield first
            yield from rows

        file_id = str(batch.body[f"{name}_file_id"])
        size = self._tools.files.put(file_id, pieces())
        self._tools.files.add(file_id, size, batch.owner, describe(batch, name), batch.body["finalizing_at"])
        return file_id
