"""Which store a gateway opens: SQLite in its home folder, DynamoDB from a process, the tables of a deployed stack."""

import time

from haimaker.aws.client import AWSClient
from haimaker.settings.settings import Settings
from haimaker.store import Store
from haimaker.validation.settings import SettingsError


def open_store(settings: Settings) -> Store:
    """Raises SettingsError, StoreUnavailable. What an earlier process that was killed still held is charged as lost: at
    once in a file that no other process uses now, else, and in tables, after the holds' deadlines."""
    if settings.store == "dynamodb":
        return _dynamodb(settings)
    from haimaker.store.sqlite import SQLiteStore

    store = SQLiteStore(settings.home / "haimaker.sqlite")
    store.adopt(time.time())
    return store


def stack_store(settings: Settings) -> Store:
    """The tables of a deployed stack; nothing is connected before the first request."""
    return _over(_client(settings), settings)


def _dynamodb(settings: Settings) -> Store:
    """Tables are made in an emulator only; in an AWS account they are the stack's."""
    from haimaker.store.tables import create_tables

    dynamo = _client(settings)
    if settings.aws and settings.aws.dynamodb_endpoint:
        create_tables(dynamo, {"accounts": settings.accounts_table, "records": settings.records_table})
    return _over(dynamo, settings)


def _client(settings: Settings) -> AWSClient:
    if settings.aws is None:
        raise SettingsError("STORE=dynamodb needs a region and credentials of AWS.")
    return AWSClient("dynamodb", settings.aws.region, settings.aws.credentials, settings.aws.dynamodb_endpoint)


def _over(dynamo: AWSClient, settings: Settings) -> Store:
    from haimaker.store.dynamodb import DynamoStore

    is_emulator = settings.aws is not None and settings.aws.dynamodb_endpoint is not None
    return DynamoStore(settings.accounts_table, settings.records_table, dynamo, rolled_up=not is_emulator)
