import time

import pytest
from openai.types import Model

from haimaker.api import models
from haimaker.api.formats import gemini_models
from haimaker.http.errors import AuthenticationError, NotFoundError
from haimaker.http.values import JSON
from haimaker.models.catalog import find_model
from haimaker.models.names import AUTO
from haimaker.models.table import current_table
from haimaker.providers.registry import all_providers, get
from haimaker.routing.config import Config, Route, Target
from haimaker.routing.router import Router
from tests.support.builders import account, request

PRICES = {"hosted_vllm/qwen3": {"input_cost_per_token": "1e-7", "output_cost_per_token": "3e-7"}}
ROUTER = Router(
    Config({"fast": Route((Target("openai/gpt-4o-mini"),))}, PRICES),
    [get(name) for name in ("openai", "mistral", "hosted_vllm", "demo")],
)


@pytest.fixture(autouse=True)
def early_in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models come and go by the day; these tests are about the others."""
    monkeypatch.setattr(models, "_today", lambda: "2026-01-01")


def listed(*allowed: str, router: Router = ROUTER) -> dict[str, JSON]:
    answer = models.list_models(router, account(models=allowed), request())
    assert answer["object"] == "list"
    return {model["id"]: model for model in answer["data"]}


def retrieved(name: str, *allowed: str) -> JSON:
    return models.get_model(ROUTER, account(models=allowed), request(path={"id": name}))


def test_the_list_has_the_chat_models_of_providers_that_are_on() -> None:
    found = listed()
    assert {"fast", "openai/gpt-4o-mini", "mistral/mistral-small-latest", "demo/echo"} <= set(found)
    assert not any(name.startswith(("groq/", "deepseek/")) for name in found)
    assert found["openai/text-embedding-3-small"]["mode"] == "embedding"
    for model in found.values():
        Model.model_validate(model)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (("fast",), set()),
        (("fast", "openai/gpt-4o-mini"), {"fast", "openai/gpt-4o-mini"}),
        (
            ("demo/*",),
            {
                "demo/agent",
                "demo/count",
                "demo/echo",
                "demo/embedding",
                "demo/image",
                "demo/moderation",
                "demo/rerank",
                "demo/speech",
                "demo/tool",
                "demo/transcription",
            },
        ),
        (("openai/gpt-4o-mini", "demo/echo"), {"openai/gpt-4o-mini", "demo/echo"}),
        (("groq/*",), set()),
    ],
)
def test_a_key_sees_what_it_may_use(allowed: tuple[str, ...], expected: set[str]) -> None:
    assert set(listed(*allowed)) == (expected | {AUTO} if expected else set())


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("openai/gpt-4o-2024-05-13", "2024-05-13"),
        ("openai/gpt-image-2", "2026-04-21"),
        ("mistral/mistral-small-latest", None),
        ("fast", None),
        (AUTO, None),
        ("hosted_vllm/new-2026-02-30", None),
        ("hosted_vllm/new-20260228", "2026-02-28"),
        ("hosted_vllm/new@20260228", "2026-02-28"),
    ],
)
def test_a_model_was_made_when_its_newest_snapshot_was_or_the_table(name: str, made: str | None) -> None:
    told = retrieved(name)
    assert time.strftime("%Y-%m-%d", time.gmtime(told["created"])) == (made or current_table().date)
    of_anthropic = models.get_model(ROUTER, account(), request(path={"id": name}, headers={"anthropic-version": "2023-06-01"}))
    assert of_anthropic["created_at"] in (f"{made}T00:00:00Z", "1970-01-01T00:00:00Z")


def test_an_image_model_tells_what_an_image_costs() -> None:
    told = listed()
    assert (told["openai/dall-e-3"]["mode"], told["openai/dall-e-3"]["output_cost_per_image"]) == ("image_generation", 0.12)
    assert told["openai/gpt-image-2"]["output_cost_per_image_token"] == 3e-5
    assert "output_cost_per_image" not in told["openai/gpt-4o-mini"]


def test_a_model_tells_its_price_limits_and_capabilities() -> None:
    known = find_model("openai", "gpt-4o-mini")
    assert known is not None
    told = listed()["openai/gpt-4o-mini"]
    assert told["input_cost_per_token"] == float(known.rates["input_cost_per_token"])
    assert told["context_length"] == told["max_input_tokens"] == known.max_input_tokens
    assert told["max_output_tokens"] == known.max_output_tokens
    assert told["capabilities"] == sorted(known.supports) != []
    assert told["owned_by"] == "openai"


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("openai/gpt-4o-mini", ()),
        ("gpt-4o-mini", ()),
        ("gpt-4o-mini", ("openai/*",)),
        ("fast", ()),
        ("demo/echo", ("demo/*",)),
        ("hosted_vllm/qwen3", ()),
        ("hosted_vllm/Qwen/Qwen3-8B", ("hosted_vllm/*",)),
    ],
)
def test_one_model_is_found_under_the_name_that_was_asked(asked: str, allowed: tuple[str, ...]) -> None:
    assert retrieved(asked, *allowed)["id"] == asked


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("", ()),
        ("gpt-99", ()),
        ("openai/gpt-99", ()),
        ("groq/llama-3.3-70b-versatile", ()),
        ("gpt-4o-mini", ("mistral/*",)),
        ("hosted_vllm/qwen3", ("openai/*",)),
    ],
)
def test_what_the_list_would_not_show_is_not_found(asked: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(NotFoundError) as caught:
        retrieved(asked, *allowed)
    assert (caught.value.status, caught.value.code) == (404, "model_not_found")


EVERYTHING = Router(Config(), all_providers())


def test_more_than_a_hundred_models_are_listed_once_there_are_credentials() -> None:
    found = listed(router=EVERYTHING)
    assert len(found) > 1_000
    assert len(listed(router=Router(Config(), [get("openai"), get("bedrock")]))) > 100


def test_models_are_looked_up_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long for all providers, no client may ask for again and again."""
    router, looked_up = Router(Config(), [get("demo")]), list[str]()
    monkeypatch.setattr(Router, "model_info_for", lambda self, name: looked_up.append(name) or find_model("openai", "gpt-4o-mini"))
    for day in ("2026-01-01", "2026-01-01", "2026-01-02"):
        monkeypatch.setattr(models, "_today", lambda day=day: day)
        models.get_model(router, account(), request(path={"id": "demo/echo"}))
        assert listed(router=router)
    assert looked_up == [*dict.fromkeys(looked_up)] * 2


@pytest.fixture(scope="module")
def everything() -> tuple[set[str], set[str]]:
    """What a key and what anybody is shown of all providers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "_today", lambda: "2026-01-01")
        return {*listed(router=EVERYTHING)}, {model["id"] for model in models.public_models(EVERYTHING)}


@pytest.mark.parametrize(
    ("name", "is_listed"),
    [
        ("openai/gpt-3.5-turbo-instruct", True),
        ("openai/text-embedding-3-small", True),
        ("openai/ft:gpt-4o-2024-08-06", False),
        ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
        ("bedrock/us-east-1/anthropic.claude-instant-v1", False),
        ("azure/gpt-4.1-mini", True),
        ("azure/eu/gpt-4o-2024-11-20", False),
        ("vertex_ai/gemini-2.5-pro", True),
        ("vertex_ai/claude-sonnet-4-5", True),
        ("vertex_ai/text-unicorn", False),
        ("vertex_ai/meta/llama-3.3-70b-instruct-maas", True),
        ("vertex_ai/mistral-medium-3", True),
        ("vertex_ai/mistral-medium-3@001", False),
        ("azure_ai/claude-opus-4-5", True),
        ("gemini/lyria-realtime-exp", False),
        ("ai21/j2-ultra", False),
        ("hosted_vllm/*", False),
    ],
)
def test_what_can_not_be_asked_for_is_not_listed(name: str, is_listed: bool, everything: tuple[set[str], set[str]]) -> None:
    """Prices by place, models of other operations, and those in a format that is not spoken here."""
    assert [name in shown for shown in everything] == [is_listed, is_listed]


def test_the_hub_tells_prices_limits_and_capabilities() -> None:
    told = {model["id"]: model for model in models.public_models(ROUTER)}
    assert "fast" not in told, "the deployer's own names are nobody's business"
    known = find_model("openai", "gpt-4o-mini")
    assert known is not None
    found = told["openai/gpt-4o-mini"]
    assert found["model_group"] == "openai/gpt-4o-mini"
    assert (found["providers"], found["mode"]) == (["openai"], "chat")
    assert (found["max_input_tokens"], found["max_output_tokens"]) == (known.max_input_tokens, known.max_output_tokens)
    assert found["input_cost_per_token"] == float(known.rates["input_cost_per_token"])
    assert found["output_cost_per_token"] == float(known.rates["output_cost_per_token"])
    supported = {name.removeprefix("supports_") for name, value in found.items() if value is True}
    assert supported == known.supports & set(models.CAPABILITIES) != set()
    assert {name: type(value) for name, value in found.items()}["supports_reasoning"] is bool


def test_the_deployers_price_is_told() -> None:
    assert retrieved("hosted_vllm/qwen3")["output_cost_per_token"] == 3e-7
    assert retrieved("hosted_vllm/other")["output_cost_per_token"] is None


def test_googles_lists_are_in_googles_shape_whoever_asks() -> None:
    asked = request(headers={"anthropic-version": "2023-06-01"}, path={"id": "demo/echo"})
    assert gemini_models.list_models(ROUTER, account(), asked)["models"][0]["name"] == "models/" + AUTO
    assert gemini_models.get_model(ROUTER, account(), asked)["name"] == "models/demo/echo"


@pytest.mark.parametrize("over", [{"blocked": True}, {"expires_s": 1}])
def test_a_key_that_may_not_be_used_sees_nothing(over: dict[str, object]) -> None:
    with pytest.raises(AuthenticationError):
        models.list_models(ROUTER, account(**over), request())


def test_a_model_that_was_retired_is_not_listed_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = {name: shown.get("deprecation_date") for name, shown in listed().items() if name.startswith("openai/")}
    name, day = next((name, day) for name, day in dates.items() if day)
    monkeypatch.setattr(models, "_today", lambda: day)
    assert name in listed()
    monkeypatch.setattr(models, "_today", lambda: f"{day}+1")
    assert name not in listed()
    with pytest.raises(NotFoundError, match=f"was retired on {day}") as raised:
        retrieved(name)
    assert raised.value.code == "model_retired"
