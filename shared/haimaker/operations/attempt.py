"""One try at one target."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from haimaker.http.values import NO_TIMEOUTS, AttemptTimeouts

if TYPE_CHECKING:
    from haimaker.models.catalog import ModelInfo
    from haimaker.providers.provider import Provider


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one target: all that an adapter may know besides the request."""

    request_id: str
    created_s: int
    provider: "Provider"
    model: str
    """The provider's own name of the model, without the prefix."""
    model_info: "ModelInfo"
    max_output_tokens: int | None = None
    """A limit to send upstream although the client named none."""
    region: str = ""
    """Of AWS, where it is sent to, for those who must name it in the request."""
    timeouts: AttemptTimeouts = NO_TIMEOUTS

    @property
    def target(self) -> str:
        return f"{self.provider.name}/{self.model}"
