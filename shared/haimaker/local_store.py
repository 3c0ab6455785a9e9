"""The store of a gateway that runs as a process: SQLite in its home folder, or DynamoDB."""

import time

from haimaker.config import Settings, SettingsError
from haimaker.store import Store


def open_store(settings: Settings) -> Store:
    """Raises SettingsError, StoreUnavailable. What an earlier process that was killed still held is charged as lost: at
    once in a file that only this process uses, after the holds' deadlines in tables that others may share."""
    if settings.store == "dynamodb":
        return _dynamodb(settings)
    from haimaker.store.sqlite import SQLiteStore

    store = SQLiteStore(settings.home / "haimaker.sqlite")
    store.charge_all_lost(time.time())
    return store


def _dynamodb(settings: Settings) -> Store:
    """Tables are made in an emulator only; in an AWS account they are the stack's."""
    from haimaker.aws import AWSClient
    from haimaker.store.dynamodb import DynamoStore
    from haimaker.store.tables import create_tables

    if settings.aws is None:
        raise SettingsError("STORE=dynamodb needs a region and credentials of AWS.")
    dynamo = AWSClient("dynamodb", settings.aws.region, settings.aws.credentials, settings.aws.dynamodb_endpoint)
    if settings.aws.dynamodb_endpoint:
        create_tables(dynamo, {"accounts": settings.accounts_table, "records": settings.records_table})
    return DynamoStore(settings.accounts_table, settings.records_table, dynamo)
