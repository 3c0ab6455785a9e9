"""Log probabilities as lists of tokens and of numbers, which OpenAI's legacy completions have and some give for chats. Pure.

https://docs.together.ai/docs/logprobs, https://docs.fireworks.ai/api-reference/post-chatcompletions
"""

from itertools import zip_longest
from typing import Any

from haimaker.http.json import as_object
from haimaker.http.values import JSON


def with_logprobs(choice: JSON) -> JSON:
    """The field `logprobs` of a chat's choice where it is not OpenAI's."""
    found = choice.get("logprobs")
    if found is None or (isinstance(found, dict) and isinstance(found.get("content"), list | None) and "tokens" not in found):
        return {}
    tokens, values = (found.get(name) for name in ("tokens", "token_logprobs")) if isinstance(found, dict) else (None, None)
    if not isinstance(tokens, list) or not isinstance(values, list):
        return {"logprobs": None}
    likely = found.get("top_logprobs")
    others = likely if isinstance(likely, list) else []
    content = [
        {**_token(token, value), "top_logprobs": [_token(name, each) for name, each in as_object(other).items()]}
        for token, value, other in zip_longest(tokens[: len(values)], values[: len(tokens)], others[: len(tokens)])
    ]
    return {"logprobs": {**found, "content": content, "refusal": None}}


def _token(token: Any, value: Any) -> JSON:
    text = token if isinstance(token, str) else ""
    number = float(value) if isinstance(value, int | float) else 0.0  # the first of a prompt has none
    return {"token": text, "logprob": number, "bytes": list(text.encode("utf-8", "surrogatepass"))}
