"""A key that is made anew while batches of it are under way: they go on under the new one, and what was put aside for them is put
aside there. Without this the worst case of all their lines would count as spent for ever."""

import time
from collections.abc import Mapping

from haimaker.batches import COMPLETION_WINDOW_S, Batch, BatchDirectory
from haimaker.batches.beginning import open_pools
from haimaker.store import SUCCESSOR, Account, Store
from haimaker.stored_files import owner_of

PAGE = 100
MOST_SUCCESSORS = 8
"""How often the key of one batch may be made anew."""


def take_pools(store: Store, account: Account) -> dict[str, int]:
    """Closes the pools that batches under way have on an account; what was left in each, by batch. Raises StoreUnavailable."""
    left, after, more, oldest_s = dict[str, int](), None, True, time.time() - 2 * COMPLETION_WINDOW_S
    while more:
        page, more = BatchDirectory(store.documents).page(owner_of(account), after, PAGE)
        after = page[-1].id if page else None
        for batch in page:
            more = more and batch.body["created_at"] > oldest_s
            if not batch.has_ended and account.id in batch.body["pools"]:
                amount = store.close_pool(account.id, batch.id)
                left |= {} if amount is None else {batch.id: amount}
    return left


def put_aside(store: Store, account: Account, left: Mapping[str, int]) -> None:
    """Opens the pools again on the account that came after. A batch without one goes on as long as the budget does. Raises
    StoreUnavailable."""
    for batch_id, amount_nanousd in left.items():
        if amount_nanousd:
            open_pools(store, batch_id, (account,), amount_nanousd)


def close_pools(store: Store, batch: Batch) -> list[int]:
    """Gives back what is left in the pools of a batch, wherever they are by now, and returns it. Raises StoreUnavailable."""
    left = []
    for account_id in batch.body["pools"]:
        for _ in range(MOST_SUCCESSORS):
            amount = store.close_pool(account_id, batch.id)
            balance = store.get(account_id) if amount is None else None
            account_id = balance.account.metadata.get(SUCCESSOR) if balance else None
            if account_id is None:
                left += [] if amount is None else [amount]
                break
    return left
