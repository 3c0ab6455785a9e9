"""What a batch's journal remembers, also where its last entry is torn anywhere."""

import resource
from pathlib import Path

import pytest

from haimaker.batches.journal import ERROR, OUTPUT, Journal, Outcome, Sums

FIRST, SECOND = Outcome(OUTPUT, 7, (1, 2, 3, 4)), Outcome(ERROR, 5, (10, 0, 0, 0))


def written(path: Path) -> bytes:
    """Two lines that were begun and answered, the later first, and one that was begun twice."""
    journal = Journal(path, 4)
    journal.begin(2, "r-1")
    journal.begin(0, "r-2")
    journal.finish(2, FIRST, b'{"line": 2}')
    journal.finish(0, SECOND, '{"líne": 0}'.encode())
    journal.begin(1, "r-3")
    journal.begin(1, "r-4")
    journal.close()
    return path.read_bytes()


def test_a_journal_says_what_is_done_and_what_was_begun(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written(path)
    journal = Journal(path, 4)
    assert [journal.is_done(line) for line in range(4)] == [True, False, True, False]
    assert journal.begun == {1: ["r-3", "r-4"]}
    assert journal.sums == Sums(1, 1, 12, (11, 2, 3, 4))
    assert list(journal.rows(OUTPUT)) == [(2, b'{"line": 2}\n')]
    assert list(journal.rows(ERROR)) == [(0, '{"líne": 0}\n'.encode())]


def test_a_line_has_one_answer(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", 1)
    journal.finish(0, FIRST, b"first")
    journal.finish(0, SECOND, b"second")
    assert (list(journal.rows(OUTPUT)), list(journal.rows(ERROR))) == ([(0, b"first\n")], [])
    assert journal.sums == Sums(1, 0, 7, (1, 2, 3, 4))


def test_a_torn_entry_is_as_if_it_was_not_written_and_work_goes_on(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole")
    entries = [
        0,
        *(at + 1 for at in range(len(whole)) if whole[at : at + 1] == b"\n" and whole[at + 1 : at + 2] in (b"B", b"R", b"")),
    ]
    for size in range(len(whole) + 1):
        path = tmp_path / f"{size}"
        path.write_bytes(whole[:size])
        journal = Journal(path, 4)
        assert path.stat().st_size == max(each for each in entries if each <= size), size
        journal.finish(3, FIRST, b"new")
        journal.close()
        again = Journal(path, 4)
        assert list(again.rows(OUTPUT))[-1] == (3, b"new\n")
        again.close()


def test_an_entry_for_which_there_is_no_room_leaves_nothing(tmp_path: Path) -> None:
    """A limit of a file's size stands for the disk. https://man7.org/linux/man-pages/man2/getrlimit.2.html"""
    journal, row = Journal(tmp_path / "journal", 4), b"x" * 500
    journal.finish(0, FIRST, row)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (800, hard))
    try:
        with pytest.raises(OSError, match="large"):
            journal.finish(1, FIRST, row)
        journal.begin(2, "r-1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.finish(1, SECOND, row)
    journal.close()
    again = Journal(tmp_path / "journal", 4)
    for each in (journal, again):
        assert [list(each.rows(kind)) for kind in (OUTPUT, ERROR)] == [[(0, row + b"\n")], [(1, row + b"\n")]]
        assert each.begun == {2: ["r-1"]}
    again.close()


@pytest.mark.parametrize("size", [0, 1])
def test_rows_may_have_anything_but_a_line_end(tmp_path: Path, size: int) -> None:
    journal = Journal(tmp_path / "journal", 2)
    row = b"R 1 o 1 2 3 4 5 6" * size
    journal.finish(0, FIRST, row)
    journal.close()
    assert list(Journal(tmp_path / "journal", 2).rows(OUTPUT)) == [(0, row + b"\n")]
