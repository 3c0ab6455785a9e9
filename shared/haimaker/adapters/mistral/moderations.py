"""Moderation of Mistral, which judges texts, in categories of its own. https://docs.mistral.ai/capabilities/guardrailing"""

from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai.moderations import PATH, rename_categories
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.moderations import ModerationRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_upstream", "read_error", "to_upstream"]

NAMES = {
    "criminal": "illicit",
    "dangerous": "illicit",
    "dangerous_and_criminal_content": "illicit",
    "hate_and_discrimination": "hate",
    "selfharm": "self-harm",
    "violence_and_threats": "violence",
}
"""Its others, such as `pii` and `law`, OpenAI has not: they keep their names."""


def to_upstream(request: ModerationRequest, attempt: Attempt) -> UpstreamRequest:
    body = {**request.options(), "model": attempt.model, "input": request.texts()}
    dropped = tuple(name for name in ("user",) if request.body.get(name))
    return UpstreamRequest(
        PATH, dumps(body), {"content-type": "application/json", **attempt.provider.dialect.headers}, dropped=dropped
    )


def from_upstream(answer: UpstreamBody, request: ModerationRequest, attempt: Attempt) -> Result:
    return rename_categories(answer, request, attempt, NAMES)
