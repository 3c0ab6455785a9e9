"""One try at one target."""

from typing import TYPE_CHECKING, Any

from haimaker.http.values import NO_TIMEOUTS, AttemptTimeouts
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.matching import traits_of
from haimaker.models.traits import Traits

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
    max_tool_calls: int | None = None
    """How often the provider's own tools may follow one another, to send upstream likewise."""
    region: str = ""
    """The region of AWS to which it is sent, for formats that name it in the request."""
    timeouts: AttemptTimeouts = NO_TIMEOUTS
    traits: Traits = field(init=False)
    """What the model takes and refuses: its family's, with what the catalogue knows and what its provider does otherwise."""

    def __post_init__(self) -> None:
        traits = traits_of(self.model_info.provider, self.model_info.model, self.model_info.supports, self.provider.family)
        object.__setattr__(self, "traits", replace(traits, **self.provider.traits) if self.provider.traits else traits)

    def copy(self, **changes: Any) -> "Attempt":
        """A copy with other values of fields on which its traits do not depend; `replace` would look these up again."""
        made = object.__new__(Attempt)
        object.__setattr__(made, "__dict__", {**self.__dict__, **changes})
        return made

    @property
    def target(self) -> str:
        return f"{self.provider.name}/{self.model}"

    @property
    def completes(self) -> bool:
        """Whether the model has legacy completions of its own; of all others a chat is made to do it."""
        completes = self.provider.catalog.completes
        return completes == "all" or (completes == "some" and self.traits.completes)
