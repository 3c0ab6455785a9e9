"""What becomes of each value of each parameter of OpenAI's chat document at each provider.

`python -m tests.unit.adapters.parameters_table` writes `parameters.json` anew; read what changed in it before you commit it. A
parameter that is new in the SDK's types needs values here, and with them an answer of every provider.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from haimaker import adapters
from haimaker.http.errors import APIError
from haimaker.http.values import JSON
from haimaker.providers.registry import all_providers
from tests.support.builders import attempt, chat_request

GOLDEN = Path(__file__).with_name("parameters.json")
MODEL = "m"
"""A model of which nothing is known, so that only the provider's rules show; those of families are in the matrix."""
FUNCTION: JSON = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
TOOL: JSON = {"type": "function", "function": FUNCTION}
SCHEMA: JSON = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
ALLOWED: JSON = {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}
VALUES: Mapping[str, Sequence[Any]] = {
    "audio": [{"voice": "alloy", "format": "pcm16"}],
    "frequency_penalty": [0, 0.5, -2],
    "function_call": ["auto", {"name": "f"}],
    "functions": [[FUNCTION]],
    "logit_bias": [{"50256": -100}],
    "logprobs": [False, True],
    "max_completion_tokens": [100],
    "max_tokens": [100],
    "messages": [[{"role": "user", "content": "Hi", "name": "n"}]],
    "metadata": [{"a": "b"}],
    "modalities": [["text"], ["text", "audio"]],
    "model": [MODEL],
    "moderation": [{"model": "omni-moderation-latest"}],
    "n": [1, 2],
    "parallel_tool_calls": [True, False],
    "prediction": [{"type": "content", "content": "x"}, {"type": "content", "content": [{"type": "text", "text": "x"}]}],
    "presence_penalty": [0, 0.5, -2],
    "prompt_cache_key": ["k"],
    "prompt_cache_options": [{"ttl": "30m"}],
    "prompt_cache_retention": ["24h"],
    "reasoning_effort": ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    "response_format": [
        {"type": "text"},
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}},
    ],
    "safety_identifier": ["u"],
    "seed": [7, -7],
    "service_tier": ["auto", "default", "flex", "priority"],
    "stop": ["x", ["x", "y"]],
    "store": [False, True],
    "stream": [True],
    "stream_options": [{"include_usage": True}],
    "temperature": [0, 0.5, 1, 2],
    "tool_choice": [
        "none",
        "auto",
        "required",
        {"type": "function", "function": {"name": "f"}},
        {"type": "allowed_tools", "allowed_tools": ALLOWED},
    ],
    "tools": [[TOOL], [{"type": "function", "function": {"name": "f"}}], [{"type": "custom", "custom": {"name": "c"}}]],
    "top_logprobs": [3],
    "top_p": [0, 0.5, 1],
    "user": ["u"],
    "verbosity": ["low"],
    "web_search_options": [{}, {"search_context_size": "low"}],
}
BESIDE: Mapping[str, JSON] = {
    "audio": {"modalities": ["text", "audio"]},
    "function_call": {"functions": [FUNCTION]},
    "parallel_tool_calls": {"tools": [TOOL]},
    "stream_options": {"stream": True},
    "tool_choice": {"tools": [TOOL]},
    "top_logprobs": {"logprobs": True},
}
"""What a parameter is of no use without."""
SAYS_NOTHING: Mapping[str, Sequence[Any]] = {
    "frequency_penalty": [0],
    "function_call": ["auto"],
    "logprobs": [False],
    "messages": VALUES["messages"],
    "modalities": [["text"]],
    "model": [MODEL],
    "n": [1],
    "parallel_tool_calls": [True],
    "presence_penalty": [0],
    "reasoning_effort": ["none"],
    "response_format": [{"type": "text"}],
    "service_tier": ["auto", "default"],
    "store": [False],
    "stream": [True],
    "stream_options": [{"include_usage": True}],
    "temperature": [1],
    "tool_choice": ["auto"],
    "top_p": [1],
}
"""Values that may vanish, since they say what holds without them, or since how an answer comes is in the path."""


def chat_providers() -> list[str]:
    return [provider.name for provider in all_providers() if provider.adapter and not provider.offline]


def asked() -> Iterator[tuple[str, Any]]:
    for name, values in VALUES.items():
        yield from ((name, value) for value in values)


def outcome(target: str, name: str, value: Any) -> str:
    """One of passed, translated, dropped (and named), refused, left out (where it says nothing), lost."""
    beside = BESIDE.get(name, {})
    tried = attempt(target)
    made = _sent(tried, {**beside, name: value})
    if made is None:
        return "refused"
    body, dropped = made
    if name in dropped:
        return "dropped"
    if name in body and body[name] == value:
        return "passed"
    plain = _sent(tried, beside)
    if plain is None or plain[0] != body:
        return "translated"
    return "left out" if value in SAYS_NOTHING.get(name, ()) else "lost"


def _sent(tried: Any, fields: JSON) -> tuple[JSON, tuple[str, ...]] | None:
    request = chat_request(**{"model": MODEL, **fields})
    try:
        made = adapters.find(request, tried).to_upstream(request, tried)
    except APIError:
        return None
    return {**json.loads(made.body), "path": made.path}, made.dropped


def table() -> JSON:
    """By parameter and value, what is not passed as it is, and where."""
    providers = chat_providers()
    made: JSON = {}
    for name, value in asked():
        found: dict[str, list[str]] = {}
        for provider in providers:
            came = outcome(f"{provider}/{MODEL}", name, value)
            if came != "passed":
                found.setdefault(came, []).append(provider)
        text = json.dumps(value, sort_keys=True)
        made[f"{name} {text if len(text) < 90 else text[:90] + '…'}"] = {came: " ".join(found[came]) for came in sorted(found)}
    return made


def write() -> None:
    GOLDEN.write_text(json.dumps(table(), indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    write()
