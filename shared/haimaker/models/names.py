"""Names of models: the one that leaves the choice to the gateway, and lists of names. Pure."""

from collections.abc import Collection

AUTO = "haimaker/auto"
"""The name under which the gateway chooses the model itself."""


def is_allowed(name: str, allowed: Collection[str]) -> bool:
    """Whether a list of names and `provider/*` patterns has the name; an empty list has all."""
    return (
        not allowed
        or name in allowed
        or "*" in allowed
        or any(pattern.endswith("/*") and name.startswith(pattern[:-1]) for pattern in allowed)
    )
