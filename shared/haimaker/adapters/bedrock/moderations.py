"""Moderation by a guardrail of Amazon Bedrock, without a model behind it: `bedrock/guardrail/<id>:<version>`.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from haimaker.adapters.bedrock.failures import read_error
from haimaker.adapters.openai.moderations import unusable_moderation
from haimaker.http.errors import BadRequestError
from haimaker.http.errors import from_upstream as error_from_upstream
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.models.rates import UNITS_PER_USD
from haimaker.operations.attempt import Attempt
from haimaker.operations.moderation_results import Finding, build_moderation
from haimaker.operations.moderations import ModerationRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.guardrails import IMAGE_MICROUSD, TEXT_MICROUSD, cost_microusd
from haimaker.pricing.usage import Usage, to_count

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

NAME = re.compile(r"(?:guardrail/)?(?P<id>.+?)(?::(?P<version>DRAFT|[1-9]\d{0,7}))?", re.DOTALL)
FORMATS = {"image/png": "png", "image/jpeg": "jpeg"}
FILTERS = {"HATE": "hate", "INSULTS": "harassment", "MISCONDUCT": "illicit", "SEXUAL": "sexual", "VIOLENCE": "violence"}
CONFIDENCE = {"NONE": 0.0, "LOW": 0.33, "MEDIUM": 0.67, "HIGH": 1.0}
OTHERS = (
    ("topicPolicy", "topics", "denied_topic"),
    ("wordPolicy", "customWords", "denied_word"),
    ("wordPolicy", "managedWordLists", "profanity"),
    ("sensitiveInformationPolicy", "piiEntities", "pii"),
    ("sensitiveInformationPolicy", "regexes", "pii"),
)
"""Policies that find or do not, and what we call what they find."""


def most_at_once(attempt: Attempt) -> int:
    return 1


def to_upstream(request: ModerationRequest, attempt: Attempt) -> UpstreamRequest:
    named = NAME.fullmatch(attempt.model)
    assert named
    (piece,) = request.pieces
    content: JSON = {"text": {"text": piece.text}}
    if piece.image:
        kind = FORMATS.get(request.image_kind())
        if kind is None:
            raise BadRequestError("A guardrail judges PNG and JPEG images.", param="input", code="invalid_image")
        content = {"image": {"format": kind, "source": {"bytes": request.image_bytes()}}}
    body = {"source": "INPUT", "outputScope": "FULL", **request.options(), "content": [content]}
    path = f"/guardrail/{quote(named['id'], safe='')}/version/{named['version'] or 'DRAFT'}/apply"
    dropped = tuple(name for name in ("user",) if request.body.get(name))
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json"}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: ModerationRequest, attempt: Attempt) -> Result:
    body = answer.object()
    if not isinstance(body.get("assessments"), list) or "action" not in body:
        raise error_from_upstream(502, read_error(body), {}) if "message" in body else unusable_moderation()
    result = build_moderation(_findings(body["assessments"]), request.kinds, flagged=body["action"] == "GUARDRAIL_INTERVENED")
    return request.build_result(attempt, [result], {}, _billed(body.get("usage")))


def _findings(assessments: list[Any]) -> Iterator[tuple[str, Finding]]:
    for assessment in assessments:
        for found in _list_objects(assessment, "contentPolicy", "filters"):
            name = str(found.get("type"))
            confidence = CONFIDENCE.get(str(found.get("confidence")), 0.0)
            yield FILTERS.get(name, name.lower()), Finding(confidence, _is_found(found))
        for policy, field, name in OTHERS:
            for found in _list_objects(assessment, policy, field):
                yield name, Finding(float(_is_found(found)), _is_found(found))


def _list_objects(assessment: Any, policy: str, field: str) -> list[JSON]:
    held = assessment.get(policy) if isinstance(assessment, dict) else None
    listed = held.get(field) if isinstance(held, dict) else None
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _is_found(found: JSON) -> bool:
    """Whether something was found, also by a guardrail that only watches."""
    return found.get("detected") is True or found.get("action") not in (None, "NONE")


def _billed(used: Any) -> Usage | None:
    if not isinstance(used, dict):
        return None
    units, images = (sum(to_count(used, name) for name in names) for names in (TEXT_MICROUSD, IMAGE_MICROUSD))
    return Usage(queries=units, input_images=images, reported_units=cost_microusd(used) * UNITS_PER_USD // 10**6)
