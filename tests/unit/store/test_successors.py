"""What is put aside for batches of a key that is made anew is put aside on the new one, on every store; nothing else is spent."""

import time
from dataclasses import replace

from haimaker.batches import Batch, BatchDirectory
from haimaker.batches.successors import close_pools, put_aside, take_pools
from haimaker.store import SUCCESSOR
from haimaker.stored_files import owner_of
from tests.unit.store.test_contract import drawing


def test_pools_of_batches_under_way_move_to_the_account_that_came_after(scene, monkeypatch):
    monkeypatch.setattr("haimaker.batches.beginning.time.time", scene.clock)
    account = scene.account(budget_nanousd=1_000)
    open_ids = {"batch_hm1": 300, "batch_hm2": 50, "batch_hm3": 10}
    directory, batches = BatchDirectory(scene.store.documents, "home"), {}
    for batch_id, amount in open_ids.items():
        assert scene.store.open_pool(replace(scene.reservation(account, amount, 0), request_id=batch_id)) is None
        status = "completed" if batch_id == "batch_hm3" else "in_progress"
        body = {"pools": [account.id], "status": status, "created_at": time.time()}
        batches[batch_id] = Batch(batch_id, owner_of(account), 0, body)
        directory.add(batches[batch_id])
    scene.settle(drawing(scene, account, 40), 25, 0)
    left = take_pools(scene.store, account)
    assert left == {"batch_hm1": 300, "batch_hm2": 50}, "one that has ended has its own end"
    old = scene.store.get(account.id)
    assert (old.spend_nanousd, old.held_nanousd) == (25, 10)
    new = replace(account, id=f"{account.id}-new", version=1, replaces=(account.id,))
    assert scene.store.put(new, old)
    put_aside(scene.store, new, left)
    assert scene.store.update(replace(old.account, blocked=True, metadata={SUCCESSOR: new.id}))
    assert scene.store.get(new.id).held_nanousd == 350
    assert close_pools(scene.store, batches["batch_hm1"]) == [300]
    assert close_pools(scene.store, batches["batch_hm1"]) == []
    assert close_pools(scene.store, batches["batch_hm2"]) == [50]
    balance = scene.store.get(new.id)
    assert (balance.held_nanousd, balance.spend_nanousd) == (0, 35), "what was spent, and the pool that had ended"
