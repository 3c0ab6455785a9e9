"""What comes before the first line of a batch is asked: all of them are read, and their worst case is put aside."""

import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from haimaker.batches import MAX_LINES
from haimaker.batches.lines import LineError, RawLine, read_line
from haimaker.http.errors import APIError
from haimaker.http.values import JSON
from haimaker.store import Account, Denied, Reservation, Store

MAX_ERRORS = 50
"""The most errors that a batch tells which can't begin."""
REFUSED = (401, 403, 404)
"""Of a line: what would be answered to every try, and is told before anything is spent."""
POOL_DEADLINE_S = 3_600


class Checked(NamedTuple):
    """How many lines there are, what they may cost together, in nano-dollars, and what is wrong with them."""

    total: int
    most_nanousd: int
    errors: list[JSON]
    model: str | None = None
    """The model that all lines name; None where they name several."""


def check_lines(lines: Iterable[RawLine], endpoint: str, bound: Callable[[bytes], int], is_stuck: Callable[[], bool]) -> Checked:
    """`bound` is the most that the body of a line may cost, and raises APIError; what is stuck is given up."""
    seen, models, most_nanousd, errors, total = set[bytes](), set[object](), 0, list[JSON](), 0
    for total, raw in enumerate(lines, 1):
        try:
            if total > MAX_LINES:
                raise LineError("too_many_tasks", f"A batch may have {MAX_LINES} requests.")
            line = read_line(raw.data, endpoint)
            digest = blake2b(line.custom_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest in seen:
                message = f"The custom_id {line.custom_id[:64]!r} is there twice."
                raise LineError("duplicate_custom_id", message, "custom_id")
            seen.add(digest)
            most_nanousd += _bound(line.body, bound)
            if len(models) < 2 and isinstance(line.model, str | None):
                models.add(line.model)
        except LineError as error:
            errors.append(error.to_json(raw.number))
            if len(errors) == MAX_ERRORS or error.code == "too_many_tasks":
                break
        if is_stuck():
            break
    if not total:
        errors.append(LineError("empty_file", "The input file has no lines.").to_json())
    [model] = models if len(models) == 1 else [None]
    return Checked(total, most_nanousd, errors, str(model) if model else None)


def _bound(body: bytes, bound: Callable[[bytes], int]) -> int:
    """What a line may cost; nothing where it will be refused for what it says. Raises LineError where it is refused for what it
    names."""
    try:
        return bound(body)
    except APIError as error:
        if error.status in REFUSED:
            raise LineError(error.code or error.type, error.message, error.param and f"body.{error.param}") from None
        return 0


def open_pools(store: Store, batch_id: str, accounts: Sequence[Account], amount_nanousd: int) -> Denied | None:
    """Puts an amount aside on each account, or says why on one it can't be; others may have it then."""
    now_s = time.time()
    for account in accounts:
        wanted = Reservation(
            batch_id,
            account.id,
            account.version,
            amount_nanousd=amount_nanousd,
            tokens=0,
            now_s=now_s,
            deadline_s=int(now_s) + POOL_DEADLINE_S,
        )
        denied = store.open_pool(wanted)
        if denied:
            return denied
    return None


def pool_error(denied: Denied) -> JSON | None:
    """Why a batch can't begin whose pools can't be opened; None where they can be in a while."""
    if denied.reason in ("rpm", "tpm", "parallel", "version"):
        return None
    code = "insufficient_quota" if denied.reason == "budget" else denied.reason
    return LineError(code, "The budget has less left than all requests of the batch may cost together.").to_json()
