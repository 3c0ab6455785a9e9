"""A sample, from a seed, of what hostile clients send to the functions; more by HOSTILE_EVENTS=20000 and HOSTILE_SEED=2."""

import os

from tests.fuzz.events import Events

ASKED, SEED = int(os.environ.get("HOSTILE_EVENTS", "90")), int(os.environ.get("HOSTILE_SEED", "7"))


def test_functions_among_hostile_clients_and_providers(batches_and_everything):
    at = Events.of(batches_and_everything, SEED)
    client = at.client(SEED)
    assert [fault for _ in range(ASKED) if (fault := client.ask())] == []
    assert at.settled() == []
    assert client.counts["4xx"] > 0
    assert client.counts["2xx"] > 0


def test_costs_are_calculated_without_the_providers_credentials(stack):
    """Which the function of spend may not read: the fixture fails where a role lacks something."""
    body = '{"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}'
    key = {"authorization": f"Bearer {stack.key()}"}
    asked = {"resource": "/v1/spend/calculate", "path": "/v1/spend/calculate", "httpMethod": "POST", "headers": key, "body": body}
    assert stack.load("spend").ask(asked).status == 200
