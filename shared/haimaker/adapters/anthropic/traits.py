"""What a Claude model takes: from the table of models or, where that does not know it, from its name.

https://platform.claude.com/docs/en/about-claude/models/overview, and each model's "What's new" and migration guide there.
A name that no pattern knows is taken for a model newer than this file. Names come with prefixes and endings (`us.anthropic.`,
`@default`), so patterns are searched for.
"""

import re
from dataclasses import dataclass

from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt

BUDGETED = re.compile(r"claude-(?:instant|v?[123](?!\d)|\w+-4(?!-[6-9](?!\d)))")
"""Models whose thinking has a budget, and which continue a last turn of the assistant."""
THOUGHTLESS = re.compile(r"claude-(?:instant|v?2|v1|3-(?:5|opus|sonnet|haiku))")
UNSTRUCTURED = re.compile(r"claude-(?:instant|v?[123](?!\d)|\w+-4(?!-[5-9](?!\d)))")
SAMPLED = re.compile(r"claude-(?:instant|v?[123](?!\d)|\w+-4(?!-[7-9](?!\d)))")
"""Newer models refuse `temperature`, `top_p` and `top_k`."""
SYSTEMLESS = re.compile(r"claude-(?:instant|v?[123](?!\d)|\w+-4(?!-[89](?!\d)))")
"""Newer models take a turn of the system within the conversation."""
UNFORCED = re.compile(r"claude-(?:(?:fable|mythos)-5-\d(?!\d)|mythos-preview|(?:opus|sonnet)-5-5)")
"""They refuse `tool_choice` `any` and `tool`."""
BINDING = re.compile(r"claude-(?:(?:fable|mythos)-5-\d(?!\d)|(?:opus|sonnet|haiku)-5-5)")
"""They check that nothing before a thinking block was changed.
https://platform.claude.com/docs/en/build-with-claude/preserved-thinking"""
THINKING_OFF: tuple[tuple[re.Pattern[str], JSON | None], ...] = (
    (re.compile(r"claude-(?:fable|mythos|opus-5-5)"), None),
    (re.compile(r"claude-sonnet-5-5"), {"type": "between_tools"}),
    (re.compile(r"claude-(?:opus|sonnet|haiku)-5"), {"type": "disabled"}),
)
"""How models that think unasked are told not to; None where they can't be."""
MIN_MAX_TOKENS = 4_096
USUAL_MAX_TOKENS = 64_000
"""What every model takes as `max_tokens`, and every one since Claude 4.5."""


@dataclass(frozen=True, slots=True)
class Traits:
    thinks: bool
    adapts: bool
    """Whether it decides itself how long to think, by effort."""
    budgets: bool
    """Whether it takes a number of tokens to think for."""
    samples: bool
    structured: bool
    """Whether it takes a schema for its answer."""
    prefills: bool
    system_turns: bool
    forces_tools: bool
    binds_thinking: bool
    efforts: frozenset[str]
    off: JSON | None
    thinks_always: bool
    max_tokens: int


def of(attempt: Attempt) -> Traits:
    model, model_info = attempt.model, attempt.model_info
    known = model_info.supports
    budgeted = BUDGETED.search(model) is not None
    adapts = "adaptive_thinking" in known if known else not budgeted
    off = next((setting for pattern, setting in THINKING_OFF if pattern.search(model)), {})
    forces = UNFORCED.search(model) is None
    return Traits(
        thinks="reasoning" in known if known else THOUGHTLESS.search(model) is None,
        adapts=adapts,
        budgets=not adapts or "legacy_thinking" in known,
        samples=not adapts or "legacy_thinking" in known or SAMPLED.search(model) is not None,
        structured=not forces or ("native_structured_output" in known if known else UNSTRUCTURED.search(model) is None),
        prefills="assistant_prefill" in known if known else budgeted,
        system_turns="mid_conversation_system" in known if known else SYSTEMLESS.search(model) is None,
        forces_tools=forces,
        binds_thinking=BINDING.search(model) is not None,
        efforts=_efforts(known, adapts),
        off=off or None,
        thinks_always=off is None,
        max_tokens=model_info.max_output_tokens or (MIN_MAX_TOKENS if budgeted else USUAL_MAX_TOKENS),
    )


def _efforts(known: frozenset[str], adapts: bool) -> frozenset[str]:
    further = {"xhigh": "xhigh_reasoning_effort", "max": "max_reasoning_effort"}
    named = {effort for effort, name in further.items() if name in known or (adapts and not known)}
    return frozenset({"low", "medium", "high", *named})
