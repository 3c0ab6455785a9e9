"""What is sent for each family, at each provider that serves it, for each parameter: what a family's traits come to.

`python -m tests.unit.models.matrix` writes `matrix.json` anew; read what changed in it before you commit it. For a new family add a
model of it to `CHATS`, or to `OTHERS` if it does not chat.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from haimaker import adapters
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Request
from haimaker.models.catalog import ModelInfo
from haimaker.operations.attempt import Attempt
from haimaker.pricing import image_usage
from haimaker.providers.registry import chat_operation, definition_for, get
from tests.support.builders import chat_request
from tests.wire import case as wire

LONG = 90
"""Letters."""
GOLDEN = Path(__file__).with_name("matrix.json")

CLAUDES = (
    *("fable-5-2", "fable-5-1", "opus-5-5", "sonnet-5-5", "haiku-5-5", "mythos-5", "mythos-preview"),
    *("opus-5", "opus-4-8", "opus-4-7", "opus-4-6", "sonnet-4-5", "opus-4-1", "sonnet-4"),
)
CHATS: Mapping[str, tuple[str, ...]] = {
    **{
        f"claude-{name}": (
            "anthropic/{}",
            "bedrock/us.anthropic.{}",
            "bedrock_invoke/us.anthropic.{}",
            "vertex_ai/{}@default",
            "azure_ai/{}",
            "databricks/databricks-{}",
            "openrouter/anthropic/{}",
            "bedrock_mantle/anthropic.{}",
        )
        for name in (*CLAUDES, "3-7-sonnet", "3-5-haiku", "zeta-7", "opus-7")
    },
    **dict.fromkeys(
        (
            "gpt-7",
            "gpt-6.2-sol",
            "gpt-6.1-terra",
            "gpt-6-sol",
            "gpt-6-astra",
            "gpt-5.9",
            "gpt-5.6-cyber",
            "gpt-5.5",
            "gpt-5.4",
            "gpt-5.2",
            "gpt-5.1",
            "gpt-5",
            "gpt-5.2-chat",
            "gpt-4o",
            "gpt-4-turbo",
            "o3",
            "o3-mini",
            "gpt-oss-120b",
            "gpt-chat-latest",
            "gpt-audio",
        ),
        (
            "openai/{}",
            "azure/{}",
            "azure_ai/{}",
            "github/openai/{}",
            "openrouter/openai/{}",
            "bedrock_mantle/openai.{}",
            "bedrock/openai.{}",
            "databricks/databricks-{}",
        ),
    ),
    **dict.fromkeys(
        (
            "gpt-daybreak-blue",
            "gpt-rosalind-research",
            "gpt-5.3-codex",
            "gpt-5.1-codex-max",
            "gpt-5.1-codex",
            "gpt-5.5-pro",
            "gpt-5-pro",
            "o3-pro",
            "codex-mini",
        ),
        ("openai/{}", "azure/{}", "azure_ai/{}", "openrouter/openai/{}"),
    ),
    "gpt-4o-2024-05-13": ("openai/{}", "azure/{}"),
    "chat-latest": ("openai/{}", "azure/{}"),
    **dict.fromkeys(
        (
            "gemini-4-pro",
            "gemini-4-neon",
            "gemini-3.8-flash",
            "gemini-3.1-pro",
            "gemini-3-flash",
            "gemini-3-pro",
            "gemini-2.5-pro",
            "gemini-2.5-flash",
            "gemini-2.0-flash",
            "gemini-2.5-flash-image",
        ),
        ("gemini/{}", "vertex_ai/{}", "openrouter/google/{}", "databricks/databricks-{}"),
    ),
    **dict.fromkeys(("gemini-2-5-pro", "gemini-3-6-flash"), ("databricks/databricks-{}",)),
    "gemma-3-27b-it": ("gemini/{}",),
    **dict.fromkeys(
        (
            *("deepseek-v5", "deepseek-v4-pro", "deepseek-v3.2", "deepseek-chat", "deepseek-reasoner", "deepseek-r1"),
            "deepseek-r1-distill-qwen",
        ),
        (
            *(
                "deepseek/{}",
                "azure_ai/{}",
                "azure_ai/FW-{}",
                "together_ai/deepseek-ai/{}",
                "openrouter/deepseek/{}",
                "dashscope/{}",
            ),
            *("fireworks_ai/accounts/fireworks/models/{}", "bedrock/us.deepseek.{}-v1:0", "vertex_ai/deepseek-ai/{}-maas"),
            *(
                "databricks/databricks-{}",
                "novita/deepseek/{}",
                "sambanova/{}",
                "deepinfra/deepseek-ai/{}",
                "nvidia_nim/deepseek-ai/{}",
            ),
        ),
    ),
    **dict.fromkeys(
        ("qwen5", "qwen4", "qwen3.8-27b", "qwen-plus", "qwen3-coder", "qwen3-next-thinking", "qwq-32b"),
        (
            *("dashscope/{}", "together_ai/Qwen/{}", "groq/qwen/{}", "fireworks_ai/accounts/fireworks/models/{}", "cerebras/{}"),
            *("openrouter/qwen/{}", "bedrock/qwen.{}-v1:0", "vertex_ai/qwen/{}-maas", "deepinfra/Qwen/{}", "nebius/Qwen/{}"),
        ),
    ),
    **dict.fromkeys(
        ("kimi-k4", "kimi-k2.6", "kimi-k2-instruct", "kimi-k2-thinking"),
        (
            *("moonshot/{}", "groq/moonshotai/{}", "fireworks_ai/accounts/fireworks/models/{}", "openrouter/moonshotai/{}"),
            *("azure_ai/FW-{}", "bedrock/moonshotai.{}", "together_ai/moonshotai/{}", "databricks/databricks-{}"),
            *("vertex_ai/moonshotai/{}-maas", "deepinfra/moonshotai/{}", "baseten/moonshotai/{}"),
        ),
    ),
    "kimi-k2p7-code": ("fireworks_ai/accounts/fireworks/models/{}",),
    "kimi-k2-7": ("databricks/databricks-{}",),
    "moonshot-v1-8k": ("moonshot/{}",),
    **dict.fromkeys(
        ("glm-6", "glm-5.2", "glm-5.1", "glm-4.5", "glm-4-32b"),
        (
            *("zai/{}", "cerebras/zai-{}", "fireworks_ai/accounts/fireworks/models/{}", "openrouter/z-ai/{}", "azure_ai/FW-{}"),
            *(
                "bedrock/zai.{}",
                "vertex_ai/zai-org/{}-maas",
                "databricks/databricks-{}",
                "together_ai/zai-org/{}",
                "deepinfra/zai-org/{}",
            ),
        ),
    ),
    **dict.fromkeys(("glm-5p2", "glm-4p5"), ("fireworks_ai/accounts/fireworks/models/{}",)),
    **dict.fromkeys(
        ("grok-6", "grok-4.5", "grok-4.3", "grok-4-0709", "grok-3-mini", "grok-4.20-non-reasoning", "grok-2"),
        ("xai/{}", "openrouter/x-ai/{}", "azure_ai/{}", "bedrock/xai.{}", "vertex_ai/xai/{}", "databricks/databricks-{}"),
    ),
    "grok-4.20-multi-agent": ("xai/{}",),
    **dict.fromkeys(
        (
            "mistral-large-5",
            "mistral-large-4-0",
            "mistral-large-2512",
            "mistral-medium-2604",
            "mistral-7b-instruct",
            "magistral-medium",
            "devstral-2",
        ),
        ("mistral/{}", "vertex_ai/{}", "azure_ai/{}", "bedrock/mistral.{}"),
    ),
    **dict.fromkeys(
        ("llama-5", "llama-3.3-70b", "llama-4-scout"),
        (
            *(
                "groq/meta-llama/{}",
                "bedrock/meta.{}",
                "together_ai/meta-llama/{}",
                "databricks/databricks-meta-{}",
                "meta_llama/{}",
            ),
            *("azure_ai/{}", "vertex_ai/meta/{}-maas", "fireworks_ai/accounts/fireworks/models/{}", "openrouter/meta-llama/{}"),
        ),
    ),
    **dict.fromkeys(("nova-pro-v1:0", "nova-2-lite-v1:0", "titan-text-express-v1"), ("bedrock/amazon.{}",)),
    **dict.fromkeys(("command-r-v1:0", "command-text-v14"), ("bedrock/cohere.{}",)),
    **dict.fromkeys(("jamba-1-5-large-v1:0", "j2-ultra-v1"), ("bedrock/ai21.{}",)),
    **dict.fromkeys(
        (
            "sonar-reasoning-pro",
            "r1-1776",
            "llama-3.1-nemotron-ultra",
            "exaone-deep-32b",
            "smollm3-3b",
            "phi-4-reasoning",
            "zeta-thinking",
        ),
        ("openrouter/any/{}",),
    ),
    **dict.fromkeys(("MiniMax-M4", "MiniMax-M3.1-Flash", "MiniMax-M3", "MiniMax-M2.7"), ("minimax/{}", "openrouter/minimax/{}")),
    "nova-premier": ("amazon_nova/{}",),
    "muse-spark-1.3": ("meta/{}", "vertex_ai/meta/{}", "openrouter/meta/{}"),
    "muse-spark-open": ("groq/meta-models/{}", "baseten/meta-models/{}", "fireworks_ai/accounts/fireworks/models/{}"),
    "doubao-seed-2": ("volcengine/{}",),
    "mimo-v2": ("xiaomi_mimo/{}",),
    "compound": ("groq/groq/{}",),
}
"""By model, the targets that have it."""
OTHERS: Mapping[str, tuple[str, ...]] = {
    "completes": ("openai/gpt-3.5-turbo-instruct", "openai/davinci-002", "hyperbolic/meta-llama/Meta-Llama-3.1-405B"),
    "assistant": ("openai/gpt-6-transcribe", "openai/gpt-6"),
    "images_generations": (
        "gemini/imagen-4.0-generate-001",
        "vertex_ai/imagen-3.0-generate-002",
        "gemini/gemini-2.5-flash-image",
        "gemini/gemini-4-image",
        "openai/gpt-image-1",
        "openai/gpt-image-2",
        "openai/gpt-image-2.5-flare",
        "openai/gpt-image-7",
        "openai/dall-e-3",
        "openai/dall-e-2",
        "bedrock/amazon.nova-canvas-v1:0",
        "bedrock/amazon.titan-image-generator-v2:0",
        "bedrock/stability.sd3-5-large-v1:0",
        "bedrock/stability.stable-diffusion-xl-v1",
        "bedrock/us.stability.stable-style-guide-v1:0",
    ),
    "audio_speech": (
        "gemini/gemini-2.5-flash-tts",
        "gemini/gemini-3.1-flash-tts",
        "gemini/gemini-4-tts",
        "deepgram/aura-2",
        "deepgram/aura-2-thalia-en",
    ),
    "embeddings": (
        "vertex_ai/gemini-embedding-001",
        "vertex_ai/gemini-embedding-2",
        "vertex_ai/multimodalembedding@001",
        "vertex_ai/text-embedding-005",
        "vertex_ai/text-embedding-large-exp-03-07",
        "bedrock/amazon.titan-embed-text-v1",
        "bedrock/amazon.titan-embed-text-v2:0",
        "bedrock/cohere.embed-v4:0",
        "bedrock/cohere.embed-english-v3",
        "bedrock/amazon.nova-2-multimodal-embeddings-v1:0",
        "bedrock/twelvelabs.marengo-embed-3-0-v1:0",
    ),
}
USER: JSON = {"role": "user", "content": "Hi"}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}}]
SCHEMA: JSON = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FORMAT: JSON = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
CALL: JSON = {"id": "a23456789", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
RESULT: JSON = {"role": "tool", "tool_call_id": "a23456789", "content": "1"}
THOUGHT: JSON = {"type": "thinking", "thinking": "t", "signature": "c2ln"}
REQUESTS: Mapping[str, JSON] = {
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.9},
    "temperature and top_p": {"temperature": 0.5, "top_p": 0.9},
    "top_k": {"top_k": 5},
    "stop": {"stop": ["x"]},
    "penalties": {"presence_penalty": 0.5, "frequency_penalty": 0.5},
    "logit_bias": {"logit_bias": {"1": 1}},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "max_tokens": {"max_tokens": 5000},
    **{
        f"effort {effort}": {"reasoning_effort": effort, "max_tokens": 30_000}
        for effort in ("none", "minimal", "low", "medium", "xhigh", "max")
    },
    **{
        f"sampling, effort {effort}": {"temperature": 0.5, "logprobs": True, "stop": ["x"], "reasoning_effort": effort}
        for effort in ("none", "low")
    },
    "budget": {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 9000},
    "tools": {"tools": TOOLS},
    "tools, effort": {"tools": TOOLS, "reasoning_effort": "high"},
    "one tool at a time": {"tools": TOOLS, "parallel_tool_calls": False},
    "forced": {"tools": TOOLS, "tool_choice": "required"},
    "forced, effort": {"tools": TOOLS, "tool_choice": "required", "reasoning_effort": "high", "max_tokens": 9000},
    "no call": {"messages": [*CALLED, RESULT], "tools": TOOLS, "tool_choice": "none"},
    "schema": {"response_format": FORMAT},
    "schema and tools": {"response_format": FORMAT, "tools": TOOLS},
    "JSON": {"response_format": {"type": "json_object"}},
    "search and tools": {"web_search_options": {}, "tools": TOOLS},
    "begun answer": {"messages": [USER, {"role": "assistant", "content": "A"}]},
    "system": {"messages": [{"role": "system", "content": "S"}, USER]},
    "late system": {"messages": [USER, {"role": "system", "content": "S"}]},
    "call": {"messages": [*CALLED, RESULT], "tools": TOOLS},
    "thoughts": {
        "messages": [USER, {"role": "assistant", "content": "A", "thinking_blocks": [THOUGHT], "reasoning_content": "t"}, USER]
    },
}
PROBES: Mapping[str, JSON] = {
    "images_generations": {"prompt": "p", "size": "1536x1024", "quality": "xhigh"},
    "audio_speech": {"input": "Hi", "voice": "alloy", "instructions": "Softly", "response_format": "wav"},
    "embeddings": {"input": ["Hi"], "dimensions": 256},
}
PARSERS = {
    "images_generations": ("images", "parse_generation"),
    "audio_speech": ("speech", "parse"),
    "embeddings": ("embeddings", "parse"),
}


def attempt(target: str, operation: str = "chat_completions") -> Attempt:
    """By the family alone: of a model that the catalogue does not know."""
    name, _, model = target.partition("/")
    return Attempt("r", 0, definition_for(get(name), model, operation), model, ModelInfo.unknown(name, model))


def attempts(target: str) -> Callable[[JSON], Attempt]:
    """What gives, for the fields of a chat, the attempt that is made of it: some models need Responses for some of them."""
    name, _, model = target.partition("/")
    made = {operation: attempt(target, operation) for operation in ("chat_completions", "responses")}
    traits = made["chat_completions"].traits
    return lambda fields: made[
        chat_operation(get(name), model, traits, fields.get("reasoning_effort"), has_tools="tools" in fields)
    ]


def targets() -> Iterator[tuple[str, str]]:
    """Each with the operation that is asked of it."""
    for model, templates in CHATS.items():
        yield from (("chat_completions", template.format(model)) for template in templates)
    for operation, named in OTHERS.items():
        yield from ((operation, target) for target in named)


def outcomes(operation: str, target: str) -> JSON:
    """By request, what comes of it."""
    if operation == "chat_completions":
        tries = attempts(target)
        tried = tries({})
        plain = sent({}, tried)
        made = {name: _difference(sent(fields, tries(fields)), plain) for name, fields in REQUESTS.items()}
        catalogued = replace(tried, model_info=replace(tried.model_info, supports=frozenset({"vision"})))
        made["effort high, of a model that the catalogue has without reasoning"] = sent({"reasoning_effort": "high"}, catalogued)
        return {"plain": plain, **made, **_answers(tried)}
    tried = attempt(target, operation if operation in PROBES else "chat_completions")
    if operation == "completes":
        return {"completes": tried.completes}
    if operation == "assistant":
        return {"assistant": tried.traits.assistant}
    module, parse = PARSERS[operation]
    body = json.dumps({"model": target, **PROBES[operation]}).encode()
    request = getattr(import_module(f"haimaker.operations.{module}"), parse)(Request("r", body=body))
    made = {"sent": _upstream(request, tried)}
    if operation == "embeddings":
        made["inputs"] = getattr(adapters.find(request, tried), "most_at_once", lambda attempt: None)(tried)
    if operation == "images_generations":
        rates = {"output_cost_per_token": "1", "output_cost_per_image_token": "1"}
        made["most"] = image_usage.max_usage(tried.model_info.with_prices(rates), 1, "high", None, 0, 0, 0).output_image
    return made


def sent(fields: JSON, tried: Attempt) -> JSON:
    return _upstream(chat_request(**{"model": "m", "messages": [USER], **fields}), tried)


def _upstream(request: Any, tried: Attempt) -> JSON:
    try:
        made = adapters.find(request, tried).to_upstream(request, tried)
    except APIError as error:
        return {"refused": error.param or str(error)}
    lost = {"dropped": list(made.dropped)} if made.dropped else {}
    return {"path": made.path, **json.loads(made.body), **lost}


def _difference(made: JSON, plain: JSON) -> JSON:
    return {name: value for name, value in made.items() if plain.get(name) != value} | {
        f"-{name}": True for name in plain if name not in made and "refused" not in made
    }


def _answers(tried: Attempt) -> JSON:
    """How reasoning in a text is parted, and searches are counted."""
    request = chat_request(model="m")
    if tried.provider.adapter == "openai":
        texts = ("<think>t</think>a", "t</think>a")
        bodies: list[JSON] = [{"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]} for text in texts]
        shown = [wire.response(request, 200, body, tried)["choices"][0]["message"] for body in bodies]
        return {"reasoning": [message.get("reasoning_content") for message in shown]}
    if tried.provider.adapter.startswith("gemini"):
        grounding = {"webSearchQueries": ["a", "b"]}
        candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP", "groundingMetadata": grounding}
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        body = {"candidates": [candidate], "usageMetadata": usage}
        return {"searches": wire.response(request, 200, body, tried)["usage"].get("server_tool_use")}
    return {}


def matrix(outcomes: Callable[[str, str], JSON] = outcomes) -> JSON:
    """By request and by what comes of it, the models of each provider: those that are alike stand together."""
    made: dict[str, dict[str, dict[str, str]]] = {}
    for operation, target in targets():
        provider, _, model = target.partition("/")
        model = model.rpartition("/")[2]
        for request, outcome in outcomes(operation, target).items():
            if request != "plain":
                alike = made.setdefault(request, {}).setdefault(_shown(outcome, REQUESTS.get(request, {})), {})
                alike[provider] = f"{alike[provider]} {model}" if provider in alike else model
    return made


def _shown(outcome: Any, fields: JSON) -> str:
    """What comes of a request in short: what goes as it came is named, and of what is long, the beginning and a digest."""
    if not isinstance(outcome, dict):
        return json.dumps(outcome)
    told = []
    for name, value in sorted(outcome.items()):
        text = "as it is" if value == fields.get(name) else json.dumps(value, sort_keys=True, ensure_ascii=False)
        digest = sha256(text.encode()).hexdigest()[:6]
        told.append(name if name[0] == "-" else f"{name}: {text if len(text) <= LONG else f'{text[:LONG]}… {digest}'}")
    return ", ".join(told) or "nothing"


def write() -> None:
    GOLDEN.write_text(json.dumps(matrix(), indent=0, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    write()
