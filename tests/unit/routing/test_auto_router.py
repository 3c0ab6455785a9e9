"""What `haimaker/auto` chooses, and why."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.values import JSON
from haimaker.models.catalog import ModelInfo
from haimaker.providers.registry import get
from haimaker.routing.auto_router import AutoChoice, AutoRouter, RuleInput
from haimaker.routing.auto_rules import NO_RULES, AutoRouterDefinition, read_definition
from haimaker.routing.config import Config, Route, Target
from haimaker.routing.context import RoutingContext
from haimaker.routing.eligibility import exclusion
from haimaker.routing.preferences import RoutingPreferences
from haimaker.routing.requirements import required_capabilities
from haimaker.routing.router import Router
from haimaker.routing.similarity import has_word, last_message, similarity_scores
from haimaker.routing.strategies import typical_cost_usd
from haimaker.validation.toml_table import TomlError, TomlTable, read_whole

ON = ("openai", "anthropic", "groq", "demo")
ROUTER = Router(
    Config({"fast": Route((Target("groq/llama-3.3-70b-versatile"), Target("openai/gpt-4o-mini")))}), [get(n) for n in ON]
)
CHOOSER = AutoRouter(ROUTER)
NOW_S = 1_795_000_000
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
TOOL = {"type": "function", "function": {"name": "f"}}


def chat(content: Any = "Hi", **fields: Any) -> JSON:
    return {"messages": [{"role": "user", "content": content}], **fields}


def definition(*rules: JSON, **fields: Any) -> AutoRouterDefinition:
    return read_whole(TomlTable((), {"rules": list(rules), **fields}), lambda table: read_definition(table, "here"))


def words(texts: Any) -> list[list[float]]:
    """An embedding by which texts are alike when they share words."""
    known = ("code", "python", "bug", "poem", "love", "rhyme")
    return [[0.01, *(float(word in text.lower()) for word in known)] for text in texts]


def choose(
    body: JSON, rules: AutoRouterDefinition = NO_RULES, router: Router = ROUTER, embed: Any = words, **at: Any
) -> AutoChoice | None:
    about = {name: at.pop(name) for name in ("keys", "tags", "metadata", "budget_used") if name in at}
    situation = RoutingContext("r", NOW_S, auto_routed=True, required=required_capabilities(body), **at)
    return AutoRouter(router).choose(rules, RuleInput(body, **about), situation, embed)


def model(*arguments: Any, **options: Any) -> str:
    choice = choose(*arguments, **options)
    assert choice is not None
    return choice.model


def test_without_rules_the_cheapest_that_can_do_it_is_chosen() -> None:
    at = RoutingContext("r", NOW_S, auto_routed=True)
    fit = {name: model_info for name, model_info in CHOOSER._models if exclusion(ROUTER, name, at, model_info) is None}
    choice = choose(chat())
    assert choice is not None
    assert choice.trigger == "cheapest"
    assert len(choice.others) == 3
    cheapest = min(typical_cost_usd(model_info, 1_000, 1_000) for model_info in fit.values())
    assert typical_cost_usd(fit[choice.model], 1_000, 1_000) == cheapest
    assert not any(name.startswith("demo/") or "guard" in name for name in fit)


@pytest.mark.parametrize(
    ("body", "required"),
    [
        (chat(), set()),
        (chat([{"type": "text", "text": "Hi"}]), set()),
        (chat([IMAGE]), {"vision"}),
        (chat([{"type": "input_audio", "input_audio": {}}]), {"audio_input"}),
        (chat([{"type": "file", "file": {}}]), {"pdf_input"}),
        (chat(tools=[TOOL]), {"function_calling"}),
        (chat(functions=[{"name": "f"}]), {"function_calling"}),
        (chat(tools=[{"type": "web_search_preview"}]), {"web_search"}),
        (chat(web_search_options={}), {"web_search"}),
        (chat(response_format={"type": "json_schema"}), {"response_schema"}),
        (chat(response_format={"type": "json_object"}), set()),
        (chat(reasoning_effort="low"), {"reasoning"}),
        (chat(reasoning_effort="none"), set()),
        (chat(thinking={"type": "enabled"}), {"reasoning"}),
        (chat(modalities=["text", "audio"]), {"audio_output"}),
        ({"messages": 7, "tools": "x", "modalities": 3, "response_format": []}, set()),
    ],
)
def test_a_request_needs_what_its_body_says_and_gets_it(body: JSON, required: set[str]) -> None:
    assert required_capabilities(body) == required
    choice = choose(body)
    if choice:
        assert required <= ROUTER.model_info_for(choice.model).supports


@pytest.mark.parametrize(("tokens", "factor"), [(1_000, 1.1), (120_000, 1.1), (300_000, 1.1), (900_000, 1.1)])
def test_the_prompt_has_room_and_a_tenth_more(tokens: int, factor: float) -> None:
    assert (ROUTER.model_info_for(model(chat(), prompt_tokens=tokens)).max_input_tokens or 0) >= tokens * factor


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"allowed": {"anthropic/*"}}, "anthropic/"),
        ({"preferences": RoutingPreferences(ignore=("groq", "openai"))}, "anthropic/"),
        ({"preferences": RoutingPreferences(only=("openai",))}, "openai/"),
        ({"router": Router(Config(), [get("demo")])}, "demo/"),
    ],
)
def test_only_what_may_be_had_is_chosen(options: dict[str, Any], expected: str) -> None:
    assert model(chat(), **options).startswith(expected)


def test_nothing_is_chosen_where_nothing_will_do() -> None:
    assert choose(chat(), prompt_tokens=10**9) is None
    assert choose(chat(), router=Router(Config(), [])) is None


def test_a_target_that_rests_is_not_the_first() -> None:
    first = choose(chat())
    assert first is not None
    assert model(chat(), open_circuits={first.model}) == first.others[0]


CODE = {"name": "code", "model": "anthropic/claude-sonnet-4-5", "examples": ["a bug in my python code", "python code"]}
POEM = {"name": "poem", "model": "fast", "examples": ["a love poem", "a rhyme"], "match_threshold": 0.5}


@pytest.mark.parametrize(
    ("rule", "about", "trigger"),
    [
        ({"keywords": ["refund", "chargeback please"]}, {"content": "I want a REFUND!"}, "keyword"),
        ({"keywords": ["refund"]}, {"content": "refundable"}, None),
        ({"keys": ["ada"]}, {"keys": {"ada"}}, "key"),
        ({"keys": ["ada"]}, {"keys": {"bob"}}, None),
        ({"tags": ["batch"]}, {"tags": {"batch", "x"}}, "tag"),
        ({"metadata": {"tier": "gold"}}, {"metadata": {"tier": "gold", "n": 1}}, "metadata"),
        ({"metadata": {"tier": "gold"}}, {"metadata": {"tier": "lead"}}, None),
        ({"budget_used": 0.8}, {"budget_used": lambda: 0.9}, "budget"),
        ({"budget_used": 0.8}, {"budget_used": lambda: 0.7}, None),
        ({"budget_used": 0.0}, {"budget_used": lambda: 0.0}, "budget"),
        ({"keywords": ["refund"], "enabled": False}, {"content": "refund"}, None),
        ({"initial_turn_only": True}, {}, "always"),
        ({"required_capabilities": ["vision"]}, {}, None),
        ({"required_capabilities": ["vision"]}, {"content": [IMAGE]}, "always"),
        ({"required_capabilities": ["reasoning"]}, {}, "always"),
        ({"keywords": ["refund"], "tags": ["batch"]}, {"content": "refund"}, None),
    ],
)
def test_a_rule_holds_when_all_that_it_says_does(rule: JSON, about: dict[str, Any], trigger: str | None) -> None:
    content = about.pop("content", "Hi")
    rules = definition({"name": "the rule", "model": "openai/gpt-4o", **rule}, default_model="anthropic/claude-haiku-4-5")
    choice = choose(chat(content), rules, **about)
    assert choice is not None
    assert (choice.model, choice.trigger) == (("openai/gpt-4o", trigger) if trigger else ("anthropic/claude-haiku-4-5", "default"))
    assert choice.source == "here"
    assert (choice.rule is not None) is (trigger is not None)


def test_the_first_turn_is_the_first_user_message() -> None:
    rules = definition({"model": "openai/gpt-4o", "initial_turn_only": True})
    later = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    assert model({"messages": later[:1]}, rules) == "openai/gpt-4o"
    assert model({"messages": later}, rules) != "openai/gpt-4o"


@pytest.mark.parametrize(
    ("message", "expected", "similarity"),
    [
        ("My python code has a bug", "code", 0.9),
        ("Write a poem about love", "poem", 0.5),
        ("What is the weather?", None, None),
    ],
)
def test_the_most_similar_examples_decide(message: str, expected: str | None, similarity: float | None) -> None:
    choice = choose(chat(message), definition(POEM, CODE, embedding_model="openai/text-embedding-3-small"))
    assert choice is not None
    assert (choice.rule and choice.rule.name) == expected
    if similarity:
        assert (choice.similarity or 0) > similarity
        assert choice.trigger == "example"
    assert choice.to_record()["auto_routing_similarity"] == choice.similarity


def test_rules_come_in_their_order_and_those_with_examples_after_the_others() -> None:
    plain = [{"name": str(number), "model": "openai/gpt-4o", "rule_order": number} for number in (3, 1, 2)]
    choice = choose(chat("python code"), definition(CODE, *plain, embedding_model="e/m"))
    assert choice is not None
    assert choice.rule is not None
    assert choice.rule.name == "1"
    assert [(each.rule.name, each.similarity) for each in choice.considered] == [
        ("code", None),
        ("1", None),
        ("2", None),
        ("3", None),
    ]


@pytest.mark.parametrize("embed", [lambda texts: None])
def test_where_vectors_can_not_be_had_the_default_serves(embed: Any) -> None:
    rules = definition(CODE, embedding_model="e/m", default_model="openai/gpt-4o")
    choice = choose(chat("python code"), rules, embed=embed)
    assert choice is not None
    assert (choice.trigger, choice.considered[0].outcome) == ("default", "the embedding model did not answer")


@pytest.mark.parametrize("name", ["groq/openai/gpt-oss-20b", "mistral/mistral-small-latest", "nobody/x"])
def test_a_rule_or_default_whose_model_will_not_do_is_passed_over(name: str) -> None:
    rules = definition({"name": "r", "model": name}, default_model=name)
    choice = choose(chat([IMAGE]), rules)
    assert choice is not None
    assert choice.trigger == "cheapest"
    assert choice.considered[0].outcome == "its model can't do this, or is not to be had"


def test_an_unknown_model_of_the_deployers_is_trusted() -> None:
    router = replace(ROUTER, providers=[get("hosted_vllm"), get("openai")])
    assert model(chat([IMAGE]), definition({"model": "hosted_vllm/mine"}), router=router) == "hosted_vllm/mine"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (chat("  Hello\n  there "), "Hello there"),
        (chat([{"type": "text", "text": "one"}, IMAGE, {"type": "text", "text": "two"}]), "one  two".replace("  ", " ")),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "a"),
        ({"prompt": "Once"}, "Once"),
        ({"prompt": ["Once", "Twice"]}, "Once Twice"),
        ({"messages": [7], "prompt": None}, ""),
        (chat("ﬁne"), "fine"),
    ],
)
def test_the_last_user_message_is_what_counts(body: JSON, expected: str) -> None:
    assert last_message(body) == expected


@pytest.mark.parametrize(
    ("text", "word", "there"),
    [("An API key", "api", True), ("rapid", "api", False), ("C++ or C", "c++", True), ("no", "yes", False), ("a-b", "b", True)],
)
def test_a_keyword_is_a_whole_word(text: str, word: str, there: bool) -> None:
    assert has_word(text, [word]) is there


def test_likeness_is_the_cosine_with_the_middle_of_the_examples() -> None:
    vectors = {"m": [1.0, 0.0], "a": [2.0, 0.0], "b": [0.0, 5.0], "z": [0.0, 0.0]}
    found = similarity_scores("m", [["a"], ["b"], ["a", "b"], ["z"]], lambda texts: [vectors[text] for text in texts])
    assert found == [1.0, 0.0, 0.7071, 0.0]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"rules": [{}]}, ("rules", 0, "model")),
        ({"rules": [{"model": "haimaker/auto"}]}, ("rules", 0, "model")),
        ({"rules": [{"model": "a/b", "examples": ["x"]}]}, ("embedding_model",)),
        ({"rules": [{"model": "a/b", "examples": ["x"] * 51}], "embedding_model": "e/m"}, ("rules", 0, "examples")),
        ({"rules": [{"model": "a/b", "required_capabilities": ["flying"]}]}, ("rules", 0, "required_capabilities", 0)),
        ({"rules": [{"model": "a/b", "match_threshold": 1.5}]}, ("rules", 0, "match_threshold")),
        ({"rules": [{"model": "a/b", "budget_used": 2}]}, ("rules", 0, "budget_used")),
        ({"rules": [{"model": "a/b", "colour": "red"}]}, ("rules", 0, "colour")),
        ({"default_model": "haimaker/auto"}, ("default_model",)),
        ({"default_model": 7}, ("default_model",)),
        ({"rules": [{"model": "a/b"}] * 101}, ("rules",)),
    ],
)
def test_what_is_wrong_in_a_definition_is_named(body: JSON, place: tuple[Any, ...]) -> None:
    with pytest.raises(TomlError) as caught:
        read_whole(TomlTable((), body), lambda table: read_definition(table, "here"))
    assert caught.value.place == place


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_messages_are_chosen_for(messages: Any) -> None:
    body = {"messages": messages}
    rules = definition({"model": "openai/gpt-4o", "keywords": ["x"]}, CODE, embedding_model="e/m")
    assert choose(body, rules) == choose(json.loads(json.dumps(body)), rules)


def test_unpriced_models_are_never_the_cheapest() -> None:
    assert all(model_info.priced and isinstance(model_info, ModelInfo) for _, model_info in CHOOSER._models)
