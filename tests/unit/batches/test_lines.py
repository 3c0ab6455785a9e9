"""The lines of a batch's file, however it comes; and which batches a process works on."""

from pathlib import Path

import pytest

from haimaker.batches import Batch, BatchDirectory
from haimaker.batches.lines import MAX_LINE_BYTES, LineError, answer_row, read_line, split, split_at
from haimaker.store.sqlite import SQLiteStore

FILE = b'{"a": 1}\r\n\n  \n{"b": "\xc3\xbc"}\n{"c": 3}'


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_lines_are_the_same_in_pieces_of_any_size(size: int) -> None:
    pieces = [FILE[at : at + size] for at in range(0, len(FILE), size)]
    found = list(split_at(pieces))
    assert [line.data for line in found] == [b'{"a": 1}\r', b'{"b": "\xc3\xbc"}', b'{"c": 3}']
    assert [line.number for line in found] == [1, 4, 5]
    assert all(FILE[line.start :].startswith(line.data) for line in found)


def test_a_line_without_end_is_not_held() -> None:
    [found] = split(b"x" * 1_000_000 for _ in range(20))
    assert len(found) <= MAX_LINE_BYTES + 1_000_000
    with pytest.raises(LineError) as raised:
        read_line(found, "/v1/embeddings")
    assert raised.value.code == "line_too_long"


def test_an_answer_on_several_lines_is_on_one() -> None:
    row = answer_row("a", "r", 200, b'{\n  "text": "x\\ny"\n}')
    assert b"\n" not in row
    assert row.endswith(b'"body":{"text":"x\\ny"}},"error":null}')


def test_a_folder_has_its_own_batches_of_a_store(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "store.sqlite")
    here, there = (BatchDirectory(store.documents, name) for name in ("here", "there"))
    here.add(Batch("batch_hm1", "key#1", 0, {"status": "validating"}))
    there.add(Batch("batch_hm2", "key#1", 0, {"status": "validating"}))
    assert [batch.id for batch in here.open()] == ["batch_hm1"]
    assert [batch.id for batch in there.open()] == ["batch_hm2"]
    assert [batch.id for batch in here.page("key#1", None, 5)[0]] == ["batch_hm2", "batch_hm1"]
    here.close(here.open()[0])
    assert (list(here.open()), here.get("key#1", "batch_hm1") is not None) == ([], True)
    store.close()


def test_a_cancelled_batch_stays_so_until_it_ends(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "store.sqlite")
    directory = BatchDirectory(store.documents)
    directory.add(Batch("batch_hm1", "key#1", 0, {"status": "validating", "completed": 0, "cancelling_at": None}))
    [worked_on] = directory.open()
    assert directory.put(worked_on.with_fields(status="cancelling", cancelling_at=7))
    told = directory.change(worked_on, status="in_progress", completed=3)
    assert (told.status, told.body["completed"], told.body["cancelling_at"]) == ("cancelling", 3, 7)
    ended = directory.change(told, status="cancelled")
    assert directory.get("key#1", "batch_hm1") == ended
    store.close()
