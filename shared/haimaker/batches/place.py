"""What batches work with: the store, the files, a folder, the gateway that answers, and threads that ask."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import NamedTuple, Protocol

from haimaker.batches import BatchDirectory
from haimaker.batches.native import ProviderCalls
from haimaker.http.values import Request, Response
from haimaker.store import Account, Store
from haimaker.stored_files import StoredFiles


class LineWorker(Protocol):
    """The gateway, as a batch needs it."""

    def accounts_of(self, account_id: str) -> tuple[Account, ...]:
        """A key's account as it is now, and its team's. Raises APIError."""

    def payers(self, operation: str, request: Request, account: Account) -> tuple[Account, ...]:
        """The accounts that a request is charged to: a key's, its team's and an end user's. Raises APIError."""

    def bound(self, operation: str, request: Request, account: Account) -> int:
        """The most that a request may cost, in nano-dollars. Raises APIError."""

    def handle(self, operation: str, request: Request, account: Account) -> Response:
        """Answers a request of a key; never raises."""

    @property
    def provider_batches(self) -> ProviderCalls:
        """Providers' own batches."""


class Place(NamedTuple):
    """What all batches share."""

    store: Store
    directory: BatchDirectory
    files: StoredFiles
    folder: Path
    worker: LineWorker
    put_task: Callable[[Callable[[], None]], None]
    """Gives something to do to one of the threads that ask."""
    stopping: Event
