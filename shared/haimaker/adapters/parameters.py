"""What a provider cannot do: dropped where that is harmless, refused where it would change the meaning. Pure."""

from collections.abc import Collection, Mapping

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.models.traits import Traits
from haimaker.operations.fields import OURS
from haimaker.operations.image_forms import DRAWN, Files

EMPTY: tuple[object, ...] = (None, [], {}, "")


@dataclass(frozen=True, slots=True)
class Parameters:
    """Which of OpenAI's parameters a format takes, and which of the others do no harm when they are left out."""

    taken: frozenset[str]
    harmless: frozenset[str]
    neutral: Mapping[str, Collection[object]]
    """Values with which a parameter that is not taken says nothing, such as `n: 1`."""

    def for_model(self, traits: Traits, effort: object) -> "Parameters":
        """The parameters of a model, which may refuse some that its provider's format takes, in a request with this
        `reasoning_effort`."""
        drops = traits.dropped(effort)
        return Parameters(self.taken - {*drops, *traits.refused(effort)}, self.harmless | frozenset(drops), self.neutral)

    def split(self, body: JSON) -> tuple[JSON, tuple[str, ...]]:
        """The body without what the provider does not take, and the names of what it loses by that.

        Fields that OpenAI does not have pass. Raises BadRequestError, `unsupported_parameter`, unless the body asks to drop.
        """
        kept: JSON = {}
        dropped: list[str] = []
        for name, value in body.items():
            if name in self.taken or name not in OPENAI:
                kept[name] = value
            elif not is_empty(name, value) and value not in self.neutral.get(name, ()):
                if name not in self.harmless and not body.get("drop_params"):
                    raise BadRequestError(
                        f"The model does not support the parameter '{name}'. Leave it out, or send \"drop_params\": true.",
                        param=name,
                        code="unsupported_parameter",
                    )
                dropped.append(name)
        return {name: value for name, value in kept.items() if name not in OURS}, tuple(dropped)


OPENAI = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "moderation",
        "model",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
"""https://platform.openai.com/docs/api-reference/chat/create"""


HINTS = ("moderation", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention")
"""What only OpenAI's own servers make use of, and whose loss does no harm."""


NEUTRAL: Mapping[str, Collection[object]] = {
    "frequency_penalty": (0,),
    "function_call": ("auto",),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "speed": (1,),
    "temperature": (1,),
    "tool_choice": ("auto",),
    "top_logprobs": (0,),
    "top_p": (1,),
}
"""Values with which a parameter says nothing: it is left out where it is not taken, and nobody need know."""


def drop_out_of_range(body: JSON, ranges: Mapping[str, tuple[float, float]]) -> tuple[JSON, tuple[str, ...]]:
    """The body without numbers outside the ranges that a provider takes, and the names of those that say something."""
    outside = [name for name, (least, most) in ranges.items() if _is_number(body.get(name)) and not least <= body[name] <= most]
    if not outside:
        return body, ()
    lost = tuple(name for name in outside if body[name] not in NEUTRAL.get(name, ()))
    return {name: value for name, value in body.items() if name not in outside}, lost


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_empty(name: str, value: object) -> bool:
    """Whether a parameter says nothing. To search the web is asked for by an object, be there options in it or not."""
    return value in EMPTY and (name != "web_search_options" or value is None)


FREE_CHOICES = (None, "auto", "none")


def forces_tools(body: JSON) -> bool:
    """Whether a request makes the model call a tool."""
    choice = body.get("tool_choice")
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if isinstance(allowed, dict):
        return allowed.get("mode") == "required"
    return bool(body.get("tools")) and choice not in FREE_CHOICES


def unforceable_tools_error() -> BadRequestError:
    """The error for a call that a model can't be made to make."""
    message = "The model can't be made to call a tool. Use tool_choice 'auto', or send \"drop_params\": true."
    return BadRequestError(message, param="tool_choice", code="unsupported_parameter")


def refuse_drawn(files: Files) -> None:
    """Raises BadRequestError for a mask, or anything else that is laid over an image, where a model takes images alone."""
    for name, _ in files:
        if name in DRAWN:
            raise refused_error(name)


def refused_error(param: str, instead: str = "") -> BadRequestError:
    """The error for a parameter that a model does not take, or of which it takes no more than `instead`."""
    message = f"The model takes {instead}, not several." if instead else f"The model does not support the parameter '{param}'."
    return BadRequestError(message, param=param, code="unsupported_parameter")
