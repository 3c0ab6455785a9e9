"""The store of a gateway that runs as a process: SQLite in its home folder, or DynamoDB."""

import time

from haimaker.config import Settings
from haimaker.store import Store


def open_store(settings: Settings) -> Store:
    """Raises StoreUnavailable. What an earlier process that was killed still held is charged as lost."""
    if settings.store == "dynamodb":
        raise SystemExit("dynamodb wiring pending")
    from haimaker.store.sqlite import SQLiteStore

    store = SQLiteStore(settings.home / "haimaker.sqlite")
    store.charge_all_lost(time.time())
    return store
