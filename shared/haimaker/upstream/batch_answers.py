"""An answer of a provider's own batch, as if it came to a call now."""

from haimaker.http.client import TransportError
from haimaker.http.values import ProviderAnswer, UpstreamResponse

BATCH_TIER = "batch"
"""The service tier whose rates are those of batches."""


def response_of(answer: ProviderAnswer) -> UpstreamResponse:
    """Raises TransportError where nothing is known of it."""
    if not answer.status:
        raise TransportError("The provider's batch did not tell its answers in time.", sent=True, timed_out=True)
    return UpstreamResponse(answer.status, {"content-type": "application/json"}, iter((answer.body,)))
