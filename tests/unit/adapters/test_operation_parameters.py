"""Every parameter of OpenAI's other operations, and of Cohere's rerank, has an answer for every provider that serves them."""

import json

import pytest

from tests.unit.adapters import operation_parameters

DOCUMENTED = operation_parameters.documented()


@pytest.mark.parametrize("operation", operation_parameters.VALUES)
def test_all_that_the_sdk_knows_is_known_here(operation: str) -> None:
    """A parameter that is new there needs an answer: passed, translated, dropped and named, refused, or followed by the gateway."""
    assert DOCUMENTED[operation] == set(operation_parameters.VALUES[operation])


def test_every_value_has_an_answer_at_every_provider() -> None:
    """`python -m tests.unit.adapters.operation_parameters` writes what is meant to be; see what it changes."""
    made = operation_parameters.table()
    assert {name: found["lost"] for name, found in made.items() if "lost" in found} == {}
    golden = json.loads(operation_parameters.GOLDEN.read_text("utf-8"))
    for value in {*made, *golden}:
        assert made.get(value) == golden.get(value), value


@pytest.mark.parametrize("operation", operation_parameters.VALUES)
def test_what_nobody_knows_is_seen_to_pass_to_openai(operation: str) -> None:
    """As JSON and in a form: else what the table says of the others would mean nothing."""
    [tried] = [each for each in operation_parameters.targets(operation) if each.provider.name in ("openai", "cohere")][:1]
    assert operation_parameters.outcome(operation, tried, "never", "heard of") == "passed"
