"""Families of models: their traits come to something at every host, and nothing else has a pattern over a model's name."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from haimaker.http.errors import APIError
from haimaker.models import catalog, families, matching
from haimaker.models.catalog import ModelInfo
from haimaker.models.traits import Family, Traits
from haimaker.operations.attempt import Attempt
from haimaker.providers.registry import all_providers, get
from tests.support.builders import attempt as known_attempt
from tests.unit.models import matrix
from tests.wire import case as wire
from tests.wire import task_case

ALL = [family for _, group in families.GROUPS for family in group]


@pytest.fixture(scope="module")
def sent() -> dict[tuple[str, str], object]:
    return {each: matrix.outcomes(*each) for each in matrix.targets()}


def test_what_is_sent_for_every_family_at_every_host(sent: dict[tuple[str, str], Any]) -> None:
    """`python -m tests.unit.models.matrix` writes what is meant to be; see what it changes."""
    made, golden = matrix.matrix(lambda *each: sent[each]), json.loads(matrix.GOLDEN.read_text("utf-8"))
    for request in {*made, *golden}:
        assert made.get(request) == golden.get(request), request


@pytest.mark.parametrize("family", [family for family in ALL if family.traits], ids=lambda family: family.name)
def test_no_trait_can_be_taken_from_a_family_unnoticed(
    family: Family, sent: dict[tuple[str, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [each for each in sent if family.name in matrix.attempt(each[1]).traits.families]
    assert mine, "add a model of it to the matrix"
    unseen = []
    for trait in family.traits:
        monkeypatch.setattr(family, "traits", {name: value for name, value in family.traits.items() if name != trait})
        matching.traits_of.cache_clear()
        if all(matrix.outcomes(*each) == sent[each] for each in mine):
            unseen.append(trait)
        monkeypatch.undo()
    matching.traits_of.cache_clear()
    assert unseen == [], "the family would be the same without them, or no request of the matrix shows them"


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_a_familys_traits_are_traits_and_its_group_finds_it(family: Family) -> None:
    Traits(**family.traits)
    re.compile(family.match)
    assert sum(other.name == family.name for other in ALL) == 1


def test_a_provider_speaks_of_families_that_there_are() -> None:
    names = {family.name for family in ALL}
    for provider in all_providers():
        told = {*provider.dialect.family_rules, *([provider.family] if provider.family else [])} - {"*"}
        assert told <= names, provider.name


def test_a_name_that_says_nothing_is_of_the_family_that_its_provider_has_alone() -> None:
    tried = Attempt("r", 0, get("anthropic"), "m", ModelInfo.unknown("anthropic", "m"))
    assert (tried.traits.families, tried.traits.forces_tools) == (("claude",), False)


def test_the_catalogue_adds_what_a_family_does_not_know_yet() -> None:
    of = matching.traits_of
    assert of("x", "zeta-1", frozenset({"vision"})).efforts == {}
    assert of("x", "zeta-1", frozenset({"vision", "reasoning"})).efforts is None
    assert (of("x", "gpt-5.1").efforts or {})["xhigh"] == "high"
    assert (of("x", "gpt-5.1", frozenset({"xhigh_reasoning_effort", "reasoning"})).efforts or {})["xhigh"] == "xhigh"
    assert known_attempt("openai/gpt-4o").traits.efforts == {}


OF_A_MAKER = re.compile(
    r"(?:claude|gpt|gemini|gemma|deepseek|qwen|qwq|kimi|glm|grok|mistral|ministral|mixtral|magistral|codestral|devstral|pixtral|llama"
    r"|nova|command|jamba|minimax|nemotron)(?![a-z])|llama\d|o[1345]-"
)
"""How names begin, wherever their parts do, of models whose makers have families."""
REMADE = re.compile(
    r".*(?:hermes|dolphin|dobby|cogito|phind|chronos|snorkel|capybara|code-?(?:llama|qwen)|openchat|pythia|nous|qwerky)"
)
"""Models that others made of a family's: nobody knows what they take."""


def test_a_model_of_the_catalogue_is_of_its_makers_family_however_its_host_spells_it() -> None:
    """What no family knows passes as it is: a name that is not read would be refused at this host alone."""
    general = {family.name for family in families.ANY}
    unknown = [
        f"{provider.name}/{known.model}"
        for provider in all_providers()
        for known in catalog.all_models(provider.catalog.priced_as or provider.name)
        if known.mode in ("chat", "responses") and not REMADE.match(known.model.lower())
        if any(OF_A_MAKER.match(part) for part in re.split(r"[/._:]|(?<=[a-z])-", known.model.lower()))
        if not {*matching.traits_of(provider.name, known.model).families} - general
    ]
    assert unknown == []


LAYER = Path(__file__).parents[3] / "shared" / "haimaker"
MAKERS = re.compile(
    r"claude|gpt|gemini|llama|mistral|qwen|deepseek|kimi|glm|grok|nova|titan|command|imagen|dall|davinci|gemma|sonar|aura"
)
"""Letters of models' names. In a pattern, or looked for in a name, they are a rule of a family that is in the wrong place."""
SEARCHES = {"compile", "match", "search", "fullmatch", "findall", "finditer", "sub", "split"}
LOOKS = {"startswith", "endswith", "removeprefix", "find", "count"}
NAME = re.compile(r"model|target")
"""Expressions that have a model's name."""


def patterns_over_names(file: Path) -> Iterator[str]:
    """Each regular expression, and each search in a text, that has to do with a model's name."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.Call | ast.Compare):
            continue
        texts = [leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)]
        named = any(MAKERS.search(text.lower()) for text in texts)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_re = ast.unparse(node.func.value) == "re" and node.func.attr in SEARCHES
            of_a_name = any(re.search(r"\bmodel$", ast.unparse(argument)) for argument in node.args[1:])
            looks = node.func.attr in LOOKS and NAME.search(ast.unparse(node.func.value)) is not None
            matches = node.func.attr in SEARCHES and any(re.search(r"\.model$", ast.unparse(each)) for each in node.args)
            if (of_re and (named or of_a_name)) or (looks and named) or matches:
                yield f"{file.name}:{node.lineno} {ast.unparse(node)[:80]}"
        contains = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn)
        if contains and isinstance(node.left, ast.Constant) and named and NAME.search(ast.unparse(node.comparators[0])):
            yield f"{file.name}:{node.lineno} {ast.unparse(node)[:80]}"


IDS = ("bedrock/moderations.py",)
"""What takes an id apart that is given as a model's name: a guardrail's, with its version."""


def test_nothing_but_the_families_has_a_pattern_over_a_models_name() -> None:
    files = [file for file in LAYER.rglob("*.py") if file.parent.name != "models" and not str(file).endswith(IDS)]
    assert [found for file in files for found in patterns_over_names(file)] == []


@pytest.mark.parametrize(
    "line",
    [
        'OLD = re.compile(r"claude-(?:3|2)")',
        "re.match(row.pattern, attempt.model_info.model)",
        'attempt.model.startswith("gpt-")',
        '"claude" in attempt.model',
        "PATTERN.match(attempt.model_info.model)",
    ],
)
def test_such_patterns_are_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(line, "utf-8")
    assert list(patterns_over_names(tmp_path / "a.py"))


OPERATIONS = {"chat": "chat_completions", "completions": "completes"}
"""Of wire cases, where the matrix has another name."""
NOT_SENT = {"assistant", "completes"}
"""Traits by which a model is listed and routed, so that no format has them."""


@dataclass(frozen=True)
class Shown:
    """A wire case, and all that comes of it."""

    case: wire.Case
    operation: str
    families: tuple[str, ...]
    written: str
    """The format: an adapter, or a provider that has one for itself."""
    outcome: Any


def written_as(tried: Attempt) -> str:
    return tried.provider.adapter or tried.provider.name


def outcome_of(case: wire.Case) -> Any:
    if case.operation not in OPERATIONS:
        return task_case.upstream_requests(case)
    made: list[Any] = [wire.upstream_request(case.request(), case.attempt())]
    if case.has("upstream_response.json"):
        status, body = case.about.get("upstream_status", 200), case.json("upstream_response.json")
        made.append(wire.response(case.request(), status, body, case.attempt()))
    if case.streams:
        made += wire.chunks(case.request(), [wire.stream_of(case)], case.attempt(), wire.decoder_of(case))
    return made


@pytest.fixture(scope="module")
def cases() -> list[Shown]:
    found = []
    for case in [*wire.find("chat"), *wire.find("completions"), *task_case.find_tasks()]:
        tried = case.attempt() if case.operation in OPERATIONS else task_case.attempt_of(case)
        operation = OPERATIONS.get(case.operation, case.operation)
        found.append(Shown(case, operation, tried.traits.families, written_as(tried), outcome_of(case)))
    return found


@pytest.fixture(scope="module")
def formats() -> dict[tuple[str, str], dict[str, str]]:
    """For a target of the matrix, the format in which each of its requests is written."""
    made: dict[tuple[str, str], dict[str, str]] = {}
    for operation, target in matrix.targets():
        if operation == "chat_completions":
            tries = matrix.attempts(target)
            made[operation, target] = {name: written_as(tries(fields)) for name, fields in matrix.REQUESTS.items()}
            made[operation, target] |= {"plain": written_as(tries({})), "reasoning": written_as(tries({}))}
        elif operation not in NOT_SENT:
            made[operation, target] = dict.fromkeys(("sent", "inputs"), written_as(matrix.attempt(target, operation)))
    return made


@pytest.mark.parametrize("family", [family for family in ALL if family.traits], ids=lambda family: family.name)
def test_each_family_has_a_wire_case_in_each_format_in_which_it_has_rules(
    family: Family,
    sent: dict[tuple[str, str], Any],
    cases: list[Shown],
    formats: dict[tuple[str, str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that would come out otherwise without the family's traits."""
    mine = [each for each in formats if family.name in matrix.attempt(each[1]).traits.families]
    monkeypatch.setattr(family, "traits", {})
    matching.traits_of.cache_clear()
    shown = {
        (each.operation, each.written)
        for each in cases
        if family.name in each.families and each.outcome != outcome_or_error(each.case)
    }
    missing = set()
    for operation, target in mine:
        written = formats[operation, target]
        if any((operation, each) not in shown for each in written.values()):
            now, before = matrix.outcomes(operation, target), sent[operation, target]
            missing |= {(operation, each) for name, each in written.items() if now.get(name) != before.get(name)} - shown
    monkeypatch.undo()
    matching.traits_of.cache_clear()
    assert {(family.name, written) for _, written in missing} == set(), (
        "record a case of it (`make record`) whose request needs its rules"
    )


def outcome_or_error(case: wire.Case) -> Any:
    try:
        return outcome_of(case)
    except (APIError, AssertionError, KeyError, IndexError) as error:
        return repr(error)
