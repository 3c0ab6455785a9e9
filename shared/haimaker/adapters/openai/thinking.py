"""How long a model thinks, in OpenAI's format: efforts that it takes, switches that hosts have, and what thinking excludes. Pure.

https://platform.openai.com/docs/api-reference/chat/create#chat_create-reasoning_effort
"""

from collections.abc import Mapping
from typing import NamedTuple

from haimaker.adapters.openai.messages import without_fields
from haimaker.adapters.parameters import forces_tools, unforceable_tools_error
from haimaker.http.values import JSON
from haimaker.models.traits import ALWAYS, NEVER, Traits
from haimaker.providers.provider import Dialect

SWITCH: Mapping[bool, JSON] = {True: {"type": "enabled"}, False: {"type": "disabled"}}
EFFORT = "reasoning_effort"


class Settled(NamedTuple):
    body: JSON
    effort: object
    """The effort with which the model thinks; None where the request leaves that to it."""
    lost: tuple[str, ...]
    """Names of what the client does not get."""


def settle_effort(body: JSON, dialect: Dialect, traits: Traits, *, forgiving: bool) -> Settled:
    """A body with an effort, and a switch, that the model takes beside the request's tools.

    Raises BadRequestError for a call that the model can't be made to make, unless the request is forgiving.
    """
    lost: tuple[str, ...] = ()
    if forces_tools(body) and not traits.forces_tools:
        if not forgiving:
            raise unforceable_tools_error()
        body, lost = without_fields(body, ("tool_choice",)), ("tool_choice",)
    # One that always thinks, with an effort, has nothing to be switched.
    switches = (dialect.thinking_switch or bool(dialect.thinking_flag)) and not (traits.thinks == ALWAYS and traits.efforts)
    effort = body.get(EFFORT)
    off = _is_excluded(body, dialect, traits)
    if off:
        lost += (EFFORT,) if effort not in (None, "none") else ()
        lost += ("thinking",) if body.get("thinking") not in (None, SWITCH[False]) else ()
        body, effort = without_fields(body, ("thinking",)), "none"
    if body.get("thinking") == SWITCH[False]:
        effort = "none"
    if not isinstance(effort, str) or (effort == "none" and EFFORT not in body and not off):
        return Settled(body, effort, lost)
    kept = body
    if switches and traits.thinks != NEVER and (effort != "none" or traits.thinks != ALWAYS):
        kept = {**_switch(dialect, on=effort != "none"), **kept}
    level = None if effort == "none" and (switches or (off and not traits.effort_with_tools)) else _level(effort, traits)
    if level is not None:
        return Settled({**kept, EFFORT: level}, effort, lost)
    return Settled(without_fields(kept, (EFFORT,)), effort, lost if effort == "none" else (*lost, EFFORT))


def _is_excluded(body: JSON, dialect: Dialect, traits: Traits) -> bool:
    """Whether the model must not think, though it would, for the sake of the request's tools."""
    if traits.thinks == ALWAYS or not body.get("tools"):
        return False
    thinks = traits.thinks_with(body.get(EFFORT)) or body.get("thinking") not in (None, SWITCH[False])
    ends = (dialect.tools_end_thinking and bool(traits.effort_with_tools)) or (
        forces_tools(body) and not traits.forces_tools_thinking
    )
    return thinks and ends


def _switch(dialect: Dialect, *, on: bool) -> JSON:
    return {dialect.thinking_flag: on} if dialect.thinking_flag else {"thinking": SWITCH[on]}


def _level(effort: str, traits: Traits) -> str | None:
    """What the model takes for an effort; a number of tokens is left to the host. None where it takes none."""
    if traits.efforts is None:
        return effort
    value = traits.efforts.get(effort) if traits.efforts else None
    return effort if isinstance(value, int) else value


def is_off(body: JSON, dialect: Dialect) -> bool:
    return body.get("thinking") == SWITCH[False] or (bool(dialect.thinking_flag) and body.get(dialect.thinking_flag) is False)
