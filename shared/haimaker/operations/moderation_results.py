"""What is found in an input, in OpenAI's categories: each of them once, and after them those that only a provider has. Pure.

https://platform.openai.com/docs/guides/moderation#content-classifications
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from haimaker.http.values import JSON

TEXT, IMAGE = "text", "image"
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "harassment": (TEXT,),
    "harassment/threatening": (TEXT,),
    "hate": (TEXT,),
    "hate/threatening": (TEXT,),
    "illicit": (TEXT,),
    "illicit/violent": (TEXT,),
    "self-harm": (TEXT, IMAGE),
    "self-harm/instructions": (TEXT, IMAGE),
    "self-harm/intent": (TEXT, IMAGE),
    "sexual": (TEXT, IMAGE),
    "sexual/minors": (TEXT,),
    "violence": (TEXT, IMAGE),
    "violence/graphic": (TEXT, IMAGE),
}
"""And in what OpenAI's own models look for them."""
SPELLINGS = {name.replace("/", "_").replace("-", "_"): name for name in CATEGORIES}
APPLIED = "category_applied_input_types"


class Finding(NamedTuple):
    """What was found of one category: a score from 0 to 1, and whether that is too much."""

    score: float
    flagged: bool


def build_moderation(findings: Iterable[tuple[str, Finding]], kinds: Collection[str], *, flagged: bool = False) -> JSON:
    """One result of a provider that looked into inputs of these kinds. The worst counts where several findings have one name."""
    worst: dict[str, Finding] = {}
    for name, finding in findings:
        known = worst.get(name, finding)
        worst[name] = Finding(max(known.score, finding.score), known.flagged or finding.flagged)
    names = (*CATEGORIES, *(name for name in worst if name not in CATEGORIES))
    none = Finding(0.0, flagged=False)
    return {
        "flagged": flagged or any(finding.flagged for finding in worst.values()),
        "categories": {name: worst.get(name, none).flagged for name in names},
        "category_scores": {name: worst.get(name, none).score for name in names},
        APPLIED: {name: list(kinds) if name in worst else [] for name in names},
    }


def complete_result(result: Any, names: Mapping[str, str], kinds: Collection[str]) -> JSON | None:
    """A result that is in OpenAI's shape, or nearly, with its categories under OpenAI's names; None of what is no result."""
    if not isinstance(result, dict) or not isinstance(result.get("categories", result.get("category_scores")), dict):
        return None
    flags, scores, applied = (_rename_categories(result.get(field), names) for field in ("categories", "category_scores", APPLIED))
    findings = [(name, Finding(_score(scores.get(name)), flags.get(name) is True)) for name in {**flags, **scores}]
    made = build_moderation(findings, kinds, flagged=result.get("flagged") is True)
    for name in made[APPLIED]:
        if isinstance(applied.get(name), list):
            made[APPLIED][name] = [kind for kind in (TEXT, IMAGE) if kind in applied[name]]
        elif name in CATEGORIES:
            made[APPLIED][name] = [kind for kind in made[APPLIED][name] if kind in CATEGORIES[name]]
    return {**result, **made}


def merge_moderations(one: JSON, other: JSON) -> JSON:
    """What is found in either of two parts of an input."""
    findings = [
        (name, Finding(result["category_scores"][name], result["categories"][name]))
        for result in (one, other)
        for name in result["categories"]
    ]
    made = build_moderation(findings, (), flagged=one["flagged"] or other["flagged"])
    applied = {name: {*one[APPLIED].get(name, ()), *other[APPLIED].get(name, ())} for name in made[APPLIED]}
    return {**made, APPLIED: {name: [kind for kind in (TEXT, IMAGE) if kind in kinds] for name, kinds in applied.items()}}


def _rename_categories(found: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """Categories by OpenAI's names; where two have the same, the one that says more."""
    known: dict[str, Any] = {}
    for given, value in found.items() if isinstance(found, dict) else ():
        name = names.get(given) or SPELLINGS.get(given.replace("/", "_").replace("-", "_")) or str(given)
        known[name] = max(known.get(name, value), value, key=_weight)
    return known


def _weight(value: Any) -> float:
    return float(value) if isinstance(value, bool) else _score(value)


def _score(value: Any) -> float:
    """A number, or a text of one, as JSON can have it."""
    try:
        score = 0.0 if isinstance(value, bool) or not isinstance(value, int | float | str) else float(value)
    except (ValueError, OverflowError):
        return 0.0
    return score if math.isfinite(score) else 0.0
