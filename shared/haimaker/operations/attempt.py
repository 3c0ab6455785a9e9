"""One try at one target."""

from typing import TYPE_CHECKING

from haimaker.http.values import PATIENT, Patience
from haimaker.lean_dataclasses import dataclass

if TYPE_CHECKING:
    from haimaker.models.catalog import Facts
    from haimaker.providers.provider import Provider


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one target: all that an adapter may know besides the request."""

    request_id: str
    created_s: int
    provider: "Provider"
    model: str
    """The provider's own name of the model, without the prefix."""
    facts: "Facts"
    max_output_tokens: int | None = None
    """A limit to send upstream although the client named none."""
    region: str = ""
    """Of AWS, where it is sent to, for those who must name it in the request."""
    patience: Patience = PATIENT

    @property
    def target(self) -> str:
        return f"{self.provider.name}/{self.model}"
