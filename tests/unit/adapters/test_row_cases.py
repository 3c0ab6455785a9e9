"""Every row has wire cases, and each thing that it says of requests and answers shows in one of them.

A rule is taken out of its row: if all cases of the provider come out as before, none of them shows it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import pytest

from haimaker.http.errors import APIError
from haimaker.providers.provider import ModelRule, Provider
from haimaker.providers.registry import PROVIDERS
from tests.wire.case import Case, chunks, decoder_of, find, response, stream_of, upstream_request

CASES: dict[str, list[Case]] = {}
for found in find("chat") + find("completions"):
    CASES.setdefault(found.about["provider"], []).append(found)

ROWS = [row for row in PROVIDERS if row.adapter and not row.offline]
SEEN_ELSEWHERE = frozenset(
    {
        "name",
        "base_url",
        "adapter",
        "families",
        "completes",
        "single_choice",
        "single_prompt",
        "inlines_images",
        "reports_cost",
        "forwards",
    }
    | {"models", "unlisted", "prices", "priced_as", "signs_as", "takes_google_tokens", "hosts", "default_location"}
    | {"api_key_variables", "base_url_variables", "token_variables", "key_header"}
    | {"paths", "place", "streamed_place", "default_version", "version_variables", "tool_prompt_tokens"}
    | {"telemetry_name", "modes", "operations", "known_as", "key_scheme", "family"}
)
"""What adapters do not see: addresses, credentials, lists of models, prices, and how many calls there are."""
PLAIN = {each.name: getattr(Provider("plain"), each.name) for each in fields(Provider)}
CONDITIONS = ("pattern", "thinks_unasked", "thinks_asked")
"""For which models a rule holds; test_rows.py has them."""
PLAIN_RULE = {each.name: getattr(ModelRule("plain"), each.name) for each in fields(ModelRule) if each.name not in CONDITIONS}


def without_each(value: Any, default: Any) -> Iterator[tuple[str, Any]]:
    """A value without each of its parts in turn, and what that part is."""
    if isinstance(value, tuple):
        for part in value:
            yield str(part), tuple(other for other in value if other != part)
    elif isinstance(value, Mapping):
        for name, held in value.items():
            yield name, {other: kept for other, kept in value.items() if other != name}
            if isinstance(held, Mapping) and len(held) > 1:
                yield from ((f"{name} {part}", {**value, name: left}) for part, left in without_each(held, {}))
    elif value != default:
        yield str(value), default


def without_each_rule(rules: tuple[ModelRule, ...]) -> Iterator[tuple[str, tuple[ModelRule, ...]]]:
    for at, rule in enumerate(rules):
        for said, default in PLAIN_RULE.items():
            for part, left in without_each(getattr(rule, said), default):
                yield f"{rule.pattern} {said} {part}", (*rules[:at], replace(rule, **{said: left}), *rules[at + 1 :])


def rules_of(row: Provider) -> Iterator[tuple[str, Provider]]:
    """Each rule of a row by its name, and the row without it."""
    for said in PLAIN:
        if said == "model_rules":
            yield from ((rule, replace(row, model_rules=left)) for rule, left in without_each_rule(row.model_rules))
        elif said not in SEEN_ELSEWHERE:
            for part, left in without_each(getattr(row, said), PLAIN[said]):
                yield f"{said} {part}", replace(row, **{said: left})


def outcome(case: Case, row: Provider) -> list[Any]:
    """All that comes of a case by a row."""
    attempt = replace(case.attempt(), provider=row)
    made: list[Any] = []
    try:
        made.append(upstream_request(case.request(), attempt))
        if case.has("upstream_response.json"):
            status = case.about.get("upstream_status", 200)
            made.append(response(case.request(), status, case.json("upstream_response.json"), attempt))
        if case.streams:
            made += chunks(case.request(), [stream_of(case)], attempt, decoder_of(case))
    except APIError as error:
        made.append(error.body())
    return made


def unshown(row: Provider) -> list[str]:
    cases = CASES.get(row.name, [])
    usual = [outcome(case, case.attempt().provider) for case in cases]
    return [rule for rule, changed in rules_of(row) if [outcome(case, changed) for case in cases] == usual]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_rule_of_a_row_shows_in_a_case(row: Provider) -> None:
    assert row.name in CASES
    assert unshown(row) == [], "record a case whose request or answer these rules change"
