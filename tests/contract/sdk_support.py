"""A gateway with every provider of the table at one scripted upstream, and the official SDK in front of it."""

import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import openai
from openai.types.chat import ChatCompletionChunk

from haimaker.providers.registry import all_providers
from haimaker.store import Record
from tests.contract.money_support import Desk
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON

UPSTREAM_KEY = "sk-upstream-c0ffee0123456789"
PROMPT = "a-prompt-that-nobody-else-may-see"
INPUT_NANOUSD, OUTPUT_NANOUSD = 1_000, 2_000
"""Per token of a `hosted_vllm` model, as ROUTES price them."""

MODEL = "hosted_vllm/any"
RETRIED = "retried"
"""A route that tries once more."""
ONCE = "once"
IMPATIENT = "impatient"
IMPATIENT_S = 0.7
UNRESOLVABLE, UNREACHABLE = "unresolvable", "unreachable"

ROUTES = f"""
allowed_ids = ["vs_shared", "file-shared", "cntr_shared", "pmpt_shared", "skill_shared"]
[routes.{RETRIED}]
targets = ["hosted_vllm/any"]
retries = 1
[routes.{ONCE}]
targets = ["hosted_vllm/any"]
retries = 0
[routes.{IMPATIENT}]
targets = ["hosted_vllm/any"]
retries = 1
timeout_s = {IMPATIENT_S}
[routes.{UNRESOLVABLE}]
targets = ["ollama/any"]
retries = 1
[routes.{UNREACHABLE}]
targets = ["llamafile/any"]
retries = 1
[routes.weighted]
targets = [{{ model = "hosted_vllm/heavy", weight = 3 }}, {{ model = "openai/gpt-4o-mini" }}]
[routes.short]
targets = ["hosted_vllm/short"]
fallbacks = ["groq/never"]
context_window_fallbacks = ["openai/gpt-4o-mini"]
[routes.prudish]
targets = ["hosted_vllm/prudish"]
fallbacks = ["groq/never"]
content_policy_fallbacks = ["mistral/mistral-small-latest"]
[models."azure/a-gpt-of-ours"]
base_model = "gpt-6-sol"
[models."azure_ai/a-claude-of-ours"]
base_model = "claude-opus-5-5"
[models."bedrock/arn:aws:bedrock:eu-central-1:1:application-inference-profile/abc"]
base_model = "us.anthropic.claude-opus-5-5"
[prices."hosted_vllm/*"]
input_cost_per_token = "0.000001"
output_cost_per_token = "0.000002"
[prices."ollama/*"]
input_cost_per_token = "0.000001"
output_cost_per_token = "0.000002"
[prices."llamafile/*"]
input_cost_per_token = "0.000001"
output_cost_per_token = "0.000002"
"""

FALLING_BACK = """
[routes.falling-{number}]
targets = ["hosted_vllm/falling-{number}"]
fallbacks = ["groq/llama-3.3-70b-versatile", "mistral/mistral-small-latest"]
retries = 0
"""
"""Several of these: a target that has failed three times in a row would no longer be the first that is tried."""


FAILING = {
    f"failing-{number}": target
    for number, target in enumerate(
        (
            "together_ai/moonshotai/Kimi-K2.6",
            "openai/gpt-5.5-pro",
            "anthropic/claude-opus-5-5",
            "gemini/gemini-3.1-pro-preview",
            "vertex_ai/gemini-3.1-pro-preview",
            "bedrock/us.anthropic.claude-opus-5-5",
            "cohere/command-a-reasoning-08-2025",
            "mistral/mistral-medium-2604",
            "deepseek/deepseek-v4-pro",
            "zai/glm-5.1",
            "openrouter/z-ai/glm-5.1",
        )
    )
}
"""Routes with a fallback, one for each way in which a vendor says that a generation has failed."""


def environment(upstream: FakeUpstream, folder: Path) -> dict[str, str]:
    """Every provider at `upstream`, but for one whose host has no address and one that refuses connections."""
    config = folder / "gateway.toml"
    failing = (
        f'[routes.{name}]\ntargets = ["{target}"]\nfallbacks = ["hosted_vllm/any"]\nretries = 0\n'
        for name, target in FAILING.items()
    )
    config.write_text(ROUTES + "".join(FALLING_BACK.format(number=number) for number in range(11)) + "".join(failing))
    names = [provider.name.upper() for provider in all_providers() if not provider.offline]
    urls = {f"{name}_BASE_URL": upstream.url for name in names}
    urls |= {"OLLAMA_BASE_URL": "http://provider.invalid/v1", "LLAMAFILE_BASE_URL": f"http://127.0.0.1:{closed_port()}/v1"}
    keys = {f"{name}_API_KEY": UPSTREAM_KEY for name in names}
    return {**urls, **keys, "HAIMAKER_CONFIG": str(config)}


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def sdk(desk: Desk, key: str, **options: Any) -> openai.OpenAI:
    """Without the certificates of all authorities, which take 17 ms to read and of which plain HTTP needs none."""
    http = openai.DefaultHttpxClient(verify=False)
    return openai.OpenAI(**{"base_url": desk.url, "api_key": key, "max_retries": 0, "timeout": 30, "http_client": http, **options})


def ask(client: openai.OpenAI, model: str = MODEL, text: str = PROMPT, **body: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **body)


def ask_all(client: openai.OpenAI, model: str = MODEL, *, stream: bool, **body: Any) -> Any:
    """The completion, or all chunks of the stream."""
    if not stream:
        return ask(client, model, **body)
    with ask(client, model, stream=True, **body) as chunks:
        return list(chunks)


def text_of(answer: Any) -> str:
    """What the model wrote, from a completion or from the chunks of a stream."""
    if isinstance(answer, list):
        return "".join(joined(answer))
    return str(answer.choices[0].message.content)


def joined(chunks: Iterable[ChatCompletionChunk]) -> Iterator[str]:
    return (choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def price(prompt_tokens: int, completion_tokens: int) -> int:
    return prompt_tokens * INPUT_NANOUSD + completion_tokens * OUTPUT_NANOUSD


def only_record(desk: Desk, key: str) -> Record:
    (record,) = desk.records(key)
    return record


def counted(record: Record) -> JSON:
    return {name: record.detail[name] for name in ("input_tokens", "output_tokens", "cost_estimated")}
