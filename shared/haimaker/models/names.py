"""Names of models: the one that leaves the choice to the gateway, and lists of names. Pure."""

import re
from collections.abc import Collection

AUTO = "haimaker/auto"
"""The name under which the gateway chooses the model itself."""

THINKS_BESIDE = re.compile(r"\bgemini\b")
HEARS_BESIDE = re.compile(r"\bvoxtral\b")


def is_allowed(name: str, allowed: Collection[str]) -> bool:
    """Whether a list of names and `provider/*` patterns has the name; an empty list has all."""
    return (
        not allowed
        or name in allowed
        or "*" in allowed
        or any(pattern.endswith("/*") and name.startswith(pattern[:-1]) for pattern in allowed)
    )


def thinks_beside(model: str) -> bool:
    """Whether hosts that speak OpenAI's format count its reasoning beside the completion, not in it."""
    return bool(THINKS_BESIDE.search(model.lower()))


def hears_beside(model: str) -> bool:
    """Whether the tokens of sound that it hears are counted beside those of the prompt."""
    return bool(HEARS_BESIDE.search(model.lower()))
