"""Moderation by Azure AI Content Safety: a text or an image in each call, and how severe it is.

https://learn.microsoft.com/rest/api/contentsafety/text-operations/analyze-text
https://learn.microsoft.com/rest/api/contentsafety/image-operations/analyze-image
"""

from collections.abc import Iterator
from typing import Any

from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.moderations import unusable_moderation
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.moderation_results import Finding, build_moderation
from haimaker.operations.moderations import ModerationRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.usage import Usage

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

CATEGORIES = {"Hate": "hate", "SelfHarm": "self-harm", "Sexual": "sexual", "Violence": "violence"}
WORST = 7
"""https://learn.microsoft.com/azure/ai-services/content-safety/concepts/harm-categories#severity-levels"""
TOO_SEVERE = 4
"""Medium, which Azure's own filters refuse: https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter"""
BLOCKLIST = "blocklist"
OF_TEXTS = ("blocklistNames", "haltOnBlocklistHit")


def most_at_once(attempt: Attempt) -> int:
    return 1


def to_upstream(request: ModerationRequest, attempt: Attempt) -> UpstreamRequest:
    (piece,) = request.pieces
    options = request.options()
    if piece.image:
        kept = {name: value for name, value in options.items() if name not in OF_TEXTS}
        path, body = "/image:analyze", {"outputType": "FourSeverityLevels", **kept, "image": {"content": request.image_bytes()}}
    else:
        path, body = "/text:analyze", {"outputType": "EightSeverityLevels", **options, "text": piece.text}
    dropped = tuple(name for name in ("user",) if request.body.get(name))
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json"}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: ModerationRequest, attempt: Attempt) -> Result:
    body = answer.object()
    if not isinstance(body.get("categoriesAnalysis"), list):
        raise from_body(body) if is_failure(body) else unusable_moderation()
    images = len([piece for piece in request.pieces if piece.image])
    result = build_moderation(_findings(body), request.kinds)
    return request.build_result(attempt, [result], {}, Usage(queries=request.units(), input_images=images))


def _findings(body: JSON) -> Iterator[tuple[str, Finding]]:
    for each in body["categoriesAnalysis"]:
        severity: Any = each.get("severity") if isinstance(each, dict) else None
        if type(severity) in (int, float):
            name = str(each.get("category"))
            yield CATEGORIES.get(name, name), Finding(round(min(max(severity, 0), WORST) / WORST, 6), severity >= TOO_SEVERE)
    if body.get("blocklistsMatch"):
        yield BLOCKLIST, Finding(1.0, flagged=True)
