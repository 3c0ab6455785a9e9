"""Vectors in whatever nesting a provider has them. Pure."""

from typing import Any

from haimaker.http.errors import BadGatewayError

TOO_LARGE = 2.0**128
"""The least number that 32 bits can't hold."""


def vectors_of(value: Any) -> list[list[float]]:
    """A list of vectors: as such, by the type of their numbers, or each in an object. Raises BadGatewayError for anything else."""
    if isinstance(value, dict):
        value = value.get("float") or value.get("floats") or next(iter(value.values()), None)
    if not isinstance(value, list):
        raise _none()
    return [vector_of(each) for each in value]


def vector_of(value: Any) -> list[float]:
    """One vector, also if it is the value of a field. Raises BadGatewayError."""
    if isinstance(value, dict):
        value = value.get("embedding", value.get("values"))
    if not isinstance(value, list) or not all(type(number) in (int, float) and abs(number) < TOO_LARGE for number in value):
        raise _none()
    return value


def _none() -> BadGatewayError:
    return BadGatewayError("The provider's answer has no embeddings.", code="invalid_provider_response")
