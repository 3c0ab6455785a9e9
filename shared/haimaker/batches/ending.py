"""The files of a batch that ends, whoever makes them: what they are called, and the rows of lines that were not answered."""

from collections.abc import Iterable, Iterator

from haimaker.batches import Batch
from haimaker.batches.journal import ERROR, Journal
from haimaker.batches.lines import ENDS, custom_id_of, read_line, split, unanswered_row
from haimaker.http.request_ids import new_request_id
from haimaker.http.values import JSON
from haimaker.stored_files import BATCH_OUTPUT, FileDescription, StoredFiles


def describe(batch: Batch, kind: str) -> FileDescription:
    """What a file of answers, or of errors, is called and how long it lasts."""
    return FileDescription(f"{batch.id}_{kind}.jsonl", BATCH_OUTPUT, "application/jsonl", batch.body["output_lasts_s"])


def error_rows(journal: Journal, lines: Iterable[bytes], endpoint: str, ends_as: str) -> Iterator[bytes]:
    """Of lines that failed, and of those that have no answer, in their order."""
    (code, message), failed = ENDS[ends_as], journal.rows(ERROR)
    number, row = next(failed, (-1, b""))
    for line, raw in enumerate(lines):
        if line == number:
            yield row
            number, row = next(failed, (-1, b""))
        elif not journal.is_done(line):
            yield unanswered_row(read_line(raw, endpoint).custom_id, new_request_id(), code, message) + b"\n"


def keep_unread(files: StoredFiles, batch: Batch, ends_as: str, file_id: str) -> JSON:
    """Makes the error file of a batch that ends before its lines were checked, of all that have a custom id, and returns the fields
    that tell of it. May be repeated. Raises BlobError."""
    file, (code, message), total = files.get(batch.owner, batch.body["input_file_id"]), ENDS[ends_as], 0

    def rows() -> Iterator[bytes]:
        nonlocal total
        for raw in split(files.pieces(file)) if file else ():
            if custom_id := custom_id_of(raw):
                total += 1
                yield unanswered_row(custom_id, new_request_id(), code, message) + b"\n"

    size = files.put(file_id, rows())
    if not size:
        files.forget(file_id)
        return {"error_file_id": None}
    files.add(file_id, size, batch.owner, describe(batch, "error"), batch.body["finalizing_at"])
    return {"error_file_id": file_id, "total": total}
