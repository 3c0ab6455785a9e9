"""Batches of others, for who may see them: administrators, viewers and those of a team, with a key or signed in."""

import pytest

from tests.contract.money_support import Desk, error_of
from tests.contract.sdk_support import sdk
from tests.contract.test_batches import begin, ended, line, until
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import Reply


@pytest.fixture
def keys(desk: Desk) -> dict[str, str]:
    for team_id in ("red", "blue"):
        desk.ask("POST", "/team/new", {"team_id": team_id})
    made = {role: desk.key(role=role) for role in ("admin", "viewer", "user")}
    made |= {team: desk.key(team_id=team) for team in ("red", "blue")}
    return made | {f"leads {team}": desk.key(role="team_admin", team_id=team) for team in ("red", "blue")}


def listed(desk: Desk, key: str, query: str = "") -> list[str] | tuple[int, str | None]:
    answer = desk.ask("GET", f"/batch/list{query}", key=key)
    return [batch["id"] for batch in answer.json()["data"]] if answer.status_code == 200 else error_of(answer)


def test_who_sees_and_who_ends_which_batch(desk: Desk, upstream: FakeUpstream, keys: dict[str, str]) -> None:
    upstream.answers(Reply.json(200, completion("hi")))
    done = {name: ended(sdk(desk, keys[name]), begin(sdk(desk, keys[name]), [line("a")])).id for name in ("red", "user")}
    gate = upstream.gate()
    upstream.answers(Reply.json(200, completion("hi")).after(gate))
    runs = {name: begin(sdk(desk, keys[name]), [line(f"{number}") for number in range(40)]).id for name in ("red", "blue", "user")}
    for name in runs:
        until(sdk(desk, keys[name]), sdk(desk, keys[name]).batches.retrieve(runs[name]), lambda now: now.status == "in_progress")
    everybody = sorted(runs.values(), reverse=True)
    token = desk.info(keys["user"])["token_id"]
    for role in ("admin", "viewer"):
        assert listed(desk, keys[role]) == everybody
        assert listed(desk, keys[role], f"?limit=2&after={everybody[0]}") == everybody[1:]
        assert listed(desk, keys[role], "?team_id=red") == [runs["red"], done["red"]]
        assert listed(desk, keys[role], f"?key={token}") == [runs["user"], done["user"]]
    for query in ("", "?team_id=red", f"?key={keys['red']}"):
        assert listed(desk, keys["leads red"], query) == [runs["red"], done["red"]]
    for query in ("?team_id=blue", f"?key={token}", f"?key={keys['blue']}"):
        assert listed(desk, keys["leads red"], query) == (403, "admin_only")
    assert [listed(desk, keys["user"], query) for query in ("", "?team_id=red")] == [(403, "admin_only")] * 2
    assert listed(desk, keys["user"], f"?key={token}") == [runs["user"], done["user"]]

    def cancel(who: str, batch_id: str) -> tuple[int, str | None]:
        answer = desk.ask("POST", f"/batch/{batch_id}/cancel", {}, key=keys[who])
        return (200, answer.json()["status"]) if answer.status_code == 200 else error_of(answer)

    for who in ("viewer", "user", "leads blue"):
        assert cancel(who, runs["red"]) == (403, "admin_only")
    assert cancel("leads red", runs["red"]) == (200, "cancelling")
    assert cancel("admin", runs["user"]) == (200, "cancelling")
    assert cancel("admin", done["red"]) == (404, "batch_not_found")
    gate.open()
    assert [ended(sdk(desk, keys[name]), sdk(desk, keys[name]).batches.retrieve(runs[name])).status for name in runs] == [
        "cancelled",
        "completed",
        "cancelled",
    ]
    found = desk.ask("GET", f"/audit?object_id={runs['red']}").json()["data"]
    assert [(event["operation"], event["updated_values"]) for event in found] == [("batches.cancel", {"status": "cancelling"})]
