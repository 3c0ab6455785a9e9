"""What a model takes and refuses, wherever it is served: the questions that adapters ask of `attempt.traits`. Pure.

The answers are in `families.py`. An adapter asks a trait, never a name, so that a new model needs no new code.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from haimaker.lean_dataclasses import dataclass

Value = TypeVar("Value")

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""All values of `reasoning_effort`, of which no model takes all."""
NEVER, ASKED, UNASKED, ALWAYS = "never", "asked", "unasked", "always"
"""When a model thinks: never, when a request names an effort, unless the effort is `none`, whatever a request says."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Defaults are those of a model of which nothing is known: what a request says passes."""

    families: tuple[str, ...] = ()
    """Names of all families that it belongs to, from the most general to the most specific."""

    # Parameters, by OpenAI's names.
    limit_name: str = ""
    """The only name that its limit of tokens has, where that is one of two."""
    drops: tuple[str, ...] = ()
    """What it refuses and may be left out without harm; the client is told."""
    refuses: tuple[str, ...] = ()
    """What it refuses and whose loss would change the meaning."""
    thinking_drops: tuple[str, ...] = ()
    thinking_refuses: tuple[str, ...] = ()
    """The same while it thinks."""
    samples_once: bool = False
    """Whether it takes `temperature` or `top_p`, but not both."""
    default_max_tokens: int = 0
    """A limit to send where a format wants one and nobody named it."""

    # Thinking.
    thinks: str = ""
    """One of the four words above; empty where that is not known. One that never does takes no effort."""
    efforts: Mapping[str, str | int] | None = None
    """What it takes for each `reasoning_effort`: a level, or a number of tokens. None: not known; empty: it takes none."""
    thinking_off: Mapping[str, str] | None = None
    """What Anthropic's `thinking` is for one that thinks unasked and shall not."""
    thinks_by_budget: bool = False
    """Whether it takes Anthropic's `thinking: {type: enabled}` with a number of tokens; else it adapts to what is asked."""
    binds_thinking: bool = False
    """Whether it checks that nothing before a thinking block was changed."""
    wants_reasoning_back: bool = False
    """Whether it refuses an assistant's tool calls without the reasoning that led to them."""
    thinking_tags: str = ""
    """How it writes reasoning into its text where nobody has parted the two: between `both` tags, or up to the `closing` one."""
    effort_with_tools: str = ""
    """The only effort with which OpenAI's chat completions let it have functions."""
    tools_need_responses: bool = False
    """Whether they let it have no functions at all."""
    responses_only: bool = False
    """Whether OpenAI has no chat completions of it."""

    # Tools and answers in JSON.
    forces_tools: bool = True
    """Whether it can be made to call a tool."""
    forces_tools_thinking: bool = True
    """Whether that is so while it thinks."""
    chooses_none: bool = True
    """Whether tools can be shown that must not be called."""
    schema: bool = True
    """Whether it takes a schema for its answer."""
    schema_with_tools: bool = True
    """Whether it does so beside tools."""
    signs_calls: bool = False
    """Whether Google's ids and signatures of calls are checked, and results of tools may hold images."""
    mixes_tools: bool = False
    """Whether Google's own tools may stand beside functions."""
    bills_searches: bool = False
    """Whether each search of the web is billed, not each request that searches."""

    # Conversations.
    takes_system: bool = True
    prefills: bool = False
    """Whether it continues a last turn of the assistant."""
    system_turns: bool = False
    """Whether the system may speak within the conversation."""

    # Other operations.
    assistant: bool = True
    """Whether it is made for conversation, and not for one purpose."""
    completes: bool = False
    """Whether it has legacy completions of its own."""
    image_sizes: bool = True
    """Whether the size of an image can be chosen."""
    fixed_image_tokens: bool = False
    """Whether its images are of three sizes, whose tokens are known."""
    directed_in_text: bool = False
    """Whether the manner of speech is told in the text that is to be spoken."""
    one_input: bool = False
    """Whether it embeds one input at once."""
    embeds_content: bool = False
    """Whether Google serves its embeddings at `embedContent`."""
    is_voice: bool = False
    """Whether its name is that of a voice as well."""

    def thinks_with(self, effort: object) -> bool:
        """Whether it thinks for a request with this effort; None where the request names none."""
        if self.thinks == ALWAYS:
            return True
        return effort != "none" and (self.thinks == UNASKED or (self.thinks == ASKED and effort is not None))

    def needs_responses(self, effort: object, *, has_tools: bool) -> bool:
        """Whether OpenAI answers a request with this effort by its Responses alone: chat completions lack the model, or let it
        have no functions, or none while it thinks."""
        without_tools = self.tools_need_responses or (bool(self.effort_with_tools) and self.thinks_with(effort))
        return self.responses_only or (has_tools and without_tools)

    def look_up(self, table: Mapping[str, Value]) -> Value | None:
        """What a table, by names of families, has for the most specific of its families."""
        return next((table[name] for name in reversed(self.families) if name in table), None)

    def dropped(self, effort: object) -> tuple[str, ...]:
        """What it refuses without harm in a request with this effort."""
        return self.drops + (self.thinking_drops if self.thinks_with(effort) else ())

    def refused(self, effort: object) -> tuple[str, ...]:
        """What it refuses otherwise in a request with this effort."""
        return self.refuses + (self.thinking_refuses if self.thinks_with(effort) else ())


class Family:
    """Models that are alike, by a pattern of their canonical names, and in which traits they differ from more general ones."""

    __slots__ = ("dated", "match", "name", "traits")

    def __init__(self, name: str, match: str, *, dated: bool = False, **traits: Any) -> None:
        """`dated` if the pattern is of names with their date, for a snapshot that differs from those after it."""
        self.name, self.match, self.dated, self.traits = name, match, dated, traits


Groups = tuple[tuple[tuple[str, ...], tuple[Family, ...]], ...]
"""Families, with letters of which one stands in every name that they are about, so that a look-up tries few patterns."""
