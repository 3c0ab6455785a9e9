"""The request to Anthropic while it is made: the client's body, what there is of the other one, and what could not be kept."""

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.models.traits import Traits


@dataclass(slots=True)
class RequestBuilder:
    """Anthropic's request as it is made of a chat, and what of it could not be kept."""

    openai_body: JSON
    """The client's body without what no model takes."""
    traits: Traits
    forgiving: bool
    """Whether the client asked to drop what can't be had."""
    anthropic_body: JSON = field(default_factory=dict)
    betas: list[str] = field(default_factory=list)
    """What of it is in trial, and has to be named in a header."""
    dropped: list[str] = field(default_factory=list)

    def drop(self, name: str) -> None:
        """Notes that a parameter is left out, which does no harm; the client is told."""
        if name not in self.dropped:
            self.dropped.append(name)

    def refuse(self, name: str, why: str) -> None:
        """What changes the meaning is dropped only if the client asked for it."""
        if not self.forgiving:
            raise BadRequestError(f'{why} Leave it out, or send "drop_params": true.', param=name, code="unsupported_parameter")
        self.drop(name)
