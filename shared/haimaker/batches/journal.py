"""What a batch's worker remembers of each line, in one file to which it only ever adds.

    B <line> <request id>                                         a line is about to be asked, as this request
    R <line> <kind> <cost> <4 counts of tokens> <length>          its answer, with the row on the next line

Each entry is one write, so that a process that is killed leaves at most the last one torn, which is cut off when the file is opened
again. A line with an answer is done. One that was begun and has none may have been asked: it is asked again, as another request
whose record names the first.
"""

import errno
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Lock
from typing import NamedTuple

OUTPUT, ERROR = "o", "e"
KINDS = (OUTPUT, ERROR)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ROOM_PAUSE_S = 1.0


class Outcome(NamedTuple):
    """The outcome of a line: the kind of its row, what it cost, and its input, cached, output and reasoning tokens."""

    kind: str
    cost_nanousd: int
    tokens: tuple[int, int, int, int]


class Sums(NamedTuple):
    completed: int = 0
    failed: int = 0
    cost_nanousd: int = 0
    tokens: tuple[int, int, int, int] = (0, 0, 0, 0)


class Journal:
    """The journal of `total` lines, in a file that is made or read. Raises OSError."""

    def __init__(self, path: Path, total: int) -> None:
        self._offsets, self._kinds = array("q", [-1]) * total, bytearray(total)
        self.begun: dict[int, list[str]] = {}
        """By line: the requests as which it was asked, of lines without an answer."""
        self.sums = Sums()
        self._lock = Lock()
        self._file = path.open("a+b", buffering=0)
        self._size = self._load()
        self._file.truncate(self._size)

    def close(self) -> None:
        self._file.close()

    def begin(self, line: int, request_id: str) -> None:
        with self._lock:
            self.begun.setdefault(line, []).append(request_id)
            self._write(b"B %d %s\n" % (line, request_id.encode()))

    def finish(self, line: int, outcome: Outcome, row: bytes) -> None:
        """Adds the answer of a line that has none."""
        with self._lock:
            if self._offsets[line] >= 0:
                return
            counts = " ".join(map(str, (outcome.cost_nanousd, *outcome.tokens, len(row))))
            head = f"R {line} {outcome.kind} {counts}\n".encode()
            start = self._size + len(head)
            self._write(head + row + b"\n")
            self._note(line, outcome, start)

    def finish_with_room(self, line: int, outcome: Outcome, row: bytes, stopping: Event) -> None:
        """Adds the answer of a line once there is room for it on the disk: it is paid for, and would be asked again. Raises
        OSError."""
        while True:
            try:
                return self.finish(line, outcome, row)
            except OSError as error:
                if error.errno not in NO_ROOM or stopping.wait(NO_ROOM_PAUSE_S):
                    raise

    def flush(self) -> None:
        """Brings what was written to the disk, for a machine that loses its power; a process that dies loses nothing."""
        os.fsync(self._file.fileno())

    def entries(self, offset: int) -> bytes:
        """What was added from an offset on, where an entry begins."""
        with self._lock, open(self._file.name, "rb") as file:
            file.seek(offset)
            return file.read(self._size - offset)

    def is_done(self, line: int) -> bool:
        return self._offsets[line] >= 0

    def rows(self, kind: str) -> Iterator[tuple[int, bytes]]:
        """The rows of a kind, in the order of their lines."""
        wanted = ord(kind)
        with open(self._file.name, "rb") as file:
            for line, (offset, found) in enumerate(zip(self._offsets, self._kinds, strict=True)):
                if offset >= 0 and found == wanted:
                    file.seek(offset)
                    yield line, file.readline()

    def _write(self, entry: bytes) -> None:
        written = 0
        try:
            while written < len(entry):
                written += os.write(self._file.fileno(), entry[written:])
        except OSError:  # the disk is full: what comes next must not follow a part of this
            os.ftruncate(self._file.fileno(), self._size)
            raise
        self._size += len(entry)

    def _note(self, line: int, outcome: Outcome, offset: int) -> None:
        self._offsets[line], self._kinds[line] = offset, ord(outcome.kind)
        self.begun.pop(line, None)
        old = self.sums
        is_ok = outcome.kind == OUTPUT
        tokens = tuple(a + b for a, b in zip(old.tokens, outcome.tokens, strict=True))
        self.sums = Sums(
            old.completed + is_ok,
            old.failed + (not is_ok),
            old.cost_nanousd + outcome.cost_nanousd,
            (tokens[0], tokens[1], tokens[2], tokens[3]),
        )

    def _load(self) -> int:
        """Reads what there is; returns the size without an entry that is torn."""
        size = 0
        with open(self._file.name, "rb") as file:
            for head in file:
                if not head.endswith(b"\n"):
                    break
                kind, line, *rest = head.decode().split()
                if kind == "B":
                    self.begun.setdefault(int(line), []).append(rest[0])
                    size += len(head)
                    continue
                *counts, length = map(int, rest[1:])
                row = file.read(length + 1)
                if len(row) != length + 1:
                    break
                cost, *tokens = counts
                outcome = Outcome(rest[0], cost, (tokens[0], tokens[1], tokens[2], tokens[3]))
                if not self.is_done(int(line)):
                    self._note(int(line), outcome, size + len(head))
                size += len(head) + len(row)
        return size
