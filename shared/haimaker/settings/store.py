"""Which store a gateway opens: SQLite in its home folder, DynamoDB from a process, the tables of a deployed stack."""

import time
from collections.abc import Callable

from haimaker.aws.client import AWSClient
from haimaker.settings.settings import Settings
from haimaker.store import Store
from haimaker.validation.settings import SettingsError


def open_store(settings: Settings, on_lost: Callable[[int], object] = lambda _: None) -> Store:
    """Opens the store. What a killed process had reserved is charged as lost: at once in a SQLite file that no other process uses,
    of which `on_lost` gets the number of requests, otherwise after the reservations' deadlines. Raises SettingsError,
    StoreUnavailable."""
    if settings.store == "dynamodb":
        return _dynamodb(settings)
    from haimaker.store.sqlite import SQLiteStore

    store = SQLiteStore(settings.home / "haimaker.sqlite", takes_turns=settings.workers > 1)
    if lost := store.adopt(time.time()):
        on_lost(lost)
    return store


def stack_store(settings: Settings, on_denied: Callable[[str], object]) -> Store:
    """The tables of a deployed stack; nothing is connected before the first request. `on_denied` is `AWSClient`'s."""
    return _over(_client(settings, on_denied), settings, rolled_up=True)


def _dynamodb(settings: Settings) -> Store:
    """Tables are made in an emulator only; in an AWS account they are the stack's."""
    from haimaker.store.tables import create_tables

    dynamo = _client(settings)
    if settings.aws and settings.aws.dynamodb_endpoint:
        create_tables(dynamo, {"accounts": settings.accounts_table, "records": settings.records_table})
    is_emulator = settings.aws is not None and settings.aws.dynamodb_endpoint is not None
    return _over(dynamo, settings, rolled_up=not is_emulator)


def _client(settings: Settings, on_denied: Callable[[str], object] | None = None) -> AWSClient:
    if settings.aws is None:
        raise SettingsError("STORE=dynamodb needs a region and credentials of AWS.")
    aws = settings.aws
    return AWSClient("dynamodb", aws.region, aws.credentials, aws.dynamodb_endpoint, on_denied=on_denied)


def _over(dynamo: AWSClient, settings: Settings, *, rolled_up: bool) -> Store:
    from haimaker.store.dynamodb import DynamoStore

    names = (settings.accounts_table, settings.records_table)
    return DynamoStore(*names, dynamo, rolled_up=rolled_up, by_day=settings.records_by_day)
