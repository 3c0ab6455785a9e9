"""Every provider has wire cases, and each rule of its dialect shows in one of them.

A rule is taken out of the dialect: if all cases of the provider come out as before, none of them shows it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import pytest

from haimaker.http.errors import APIError
from haimaker.providers.family_rules import FamilyRule, FamilyRules
from haimaker.providers.provider import AnswerRules, Dialect, MessageRules, Provider
from haimaker.providers.registry import all_providers
from tests.wire.case import Case, chunks, decoder_of, find, response, stream_of, upstream_request

CASES: dict[str, list[Case]] = {}
for found in find("chat") + find("completions"):
    CASES.setdefault(found.about["provider"], []).append(found)

ROWS = [row for row in all_providers() if row.adapter and not row.offline]
Rules = TypeVar("Rules", Dialect, MessageRules, AnswerRules)
SEEN_ELSEWHERE = frozenset({"messages", "answers", "forwards", "betas"})
"""Fields of a dialect that hold other rules, or that are of headers of the client's, which a case has not."""
PLAIN_RULE = {each.name: getattr(FamilyRule(), each.name) for each in fields(FamilyRule)}


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


def without_each_rule(rules: FamilyRules) -> Iterator[tuple[str, FamilyRules]]:
    for family, rule in rules.items():
        for said, default in PLAIN_RULE.items():
            for part, left in without_each(getattr(rule, said), default):
                yield f"{family} {said} {part}", {**rules, family: replace(rule, **{said: left})}


def rules_of(dialect: Dialect) -> Iterator[tuple[str, Dialect]]:
    """Each rule of a dialect by its name, and the dialect without it."""
    yield from ((rule, replace(dialect, family_rules=left)) for rule, left in without_each_rule(dialect.family_rules))
    for rule, left in without_each_field(dialect, Dialect()):
        yield rule, left
    for rule, left in without_each_field(dialect.messages, MessageRules()):
        yield rule, replace(dialect, messages=left)
    for rule, left in without_each_field(dialect.answers, AnswerRules()):
        yield rule, replace(dialect, answers=left)


def without_each_field(rules: Rules, plain: Rules) -> Iterator[tuple[str, Rules]]:
    for said in (each.name for each in fields(plain)):
        if said not in SEEN_ELSEWHERE and said != "family_rules":
            for part, left in without_each(getattr(rules, said), getattr(plain, said)):
                yield f"{said} {part}", replace(rules, **{said: left})


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
    return [
        rule for rule, dialect in rules_of(row.dialect) if [outcome(case, replace(row, dialect=dialect)) for case in cases] == usual
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_rule_of_a_row_shows_in_a_case(row: Provider) -> None:
    assert CASES.get(row.name), f"record a case: make record PROVIDER={row.name} …"
    assert unshown(row) == [], "record a case whose request or answer these rules change"
