"""Moderation of the `demo/` models: by a list of words, of which each is a sign of one category. No judgement of anything."""

import json
import re

from haimaker.demo import no_such_model
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse
from haimaker.operations.moderation_results import TEXT, Finding, build_moderation

MODELS = ("moderation",)
LABEL = "haimaker-demo, a list of words"
WORDS = {
    "harassment": ("idiot", "loser", "stupid"),
    "hate": ("despise", "hate", "inferior"),
    "illicit": ("burgle", "shoplift", "steal"),
    "self-harm": ("suicide",),
    "sexual": ("naked", "porn", "sex"),
    "violence": ("attack", "kill", "murder", "punch"),
}


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    body: JSON = json.loads(request.body)
    if body["model"] not in MODELS:
        return no_such_model(body["model"], MODELS)
    given = body["input"]
    parts = [given] if isinstance(given, str) else given
    texts = [part if isinstance(part, str) else str(part.get("text", "")) for part in parts]
    inputs = texts if isinstance(parts[0], str) else [" ".join(texts)]
    results = [_score_text(text) for text in inputs]
    answer = dumps({"id": f"modr-{request_id}", "model": f"demo/{body['model']}", "system_fingerprint": LABEL, "results": results})
    return UpstreamResponse(200, {"content-type": "application/json"}, iter([answer]))


def _score_text(text: str) -> JSON:
    said = re.findall(r"\w+", text.lower())
    counts = {category: sum(word in words for word in said) for category, words in WORDS.items()}
    return build_moderation(((name, Finding(round(1 - 0.1**found, 6), found > 0)) for name, found in counts.items()), [TEXT])
