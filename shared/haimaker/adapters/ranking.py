"""Ranked documents in whatever words a provider has for them, as Cohere's results. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON
from haimaker.operations.rerank import RerankRequest

LISTS = ("results", "data", "rankings", "records")
INDEXES = ("index", "id", "corpus_id")
SCORES = ("relevance_score", "relevanceScore", "score", "logit")
TEXTS = ("text", "title", "content")
"""A document told again; the client has it."""


def find_results(body: Any) -> Sequence[Any] | None:
    """The list of results in an answer, if it has one."""
    if isinstance(body, Mapping):
        body = next((body[name] for name in LISTS if isinstance(body.get(name), list)), None)
    return body if isinstance(body, list) else None


def to_results(found: Sequence[Any], request: RerankRequest) -> list[JSON]:
    """Each document once, in the provider's order. Raises BadGatewayError for what is no ranking of the request's documents."""
    ranked: dict[int, JSON] = {}
    for item in found:
        index, score = _number(item, INDEXES), _number(item, SCORES)
        if index is None or score is None or not 0 <= index < len(request.texts):
            raise unusable_ranking()
        kept = {name: value for name, value in item.items() if name not in (*INDEXES, *SCORES, *TEXTS)}
        ranked.setdefault(int(index), {"index": request.start + int(index), "relevance_score": score, **kept})
    return list(ranked.values())


def unusable_ranking() -> BadGatewayError:
    return BadGatewayError("The provider's answer has no ranking of the documents.", code="invalid_provider_response")


def _number(item: Any, names: Sequence[str]) -> float | None:
    """The first of the fields that is a number, or a text of one."""
    value = next((item[name] for name in names if item.get(name) is not None), None) if isinstance(item, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
