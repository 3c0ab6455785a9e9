"""What differs between families of Google's models, found by a model's name. Data, and the few questions asked of it.

Names are open-ended, so one that is not known to be old is taken for the newest. https://ai.google.dev/gemini-api/docs/models
"""

import re
from collections.abc import Mapping

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON

GEMINI = re.compile(r"gemini-|nano-banana")
OLDER = re.compile(r"gemini-(1|2|exp|gemma|pro$|pro-vision|robotics-er-1)")
NO_SYSTEM_INSTRUCTION = re.compile(r"(gemini-)?gemma-[123]")
"""They refuse `systemInstruction`: https://ai.google.dev/gemma/docs/core/prompt-structure"""

LEVELS: Mapping[str, str] = {
    "none": "minimal",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
AT_LEAST_LOW = {**LEVELS, "none": "low", "minimal": "low"}
LOW_OR_HIGH = {**AT_LEAST_LOW, "medium": "high"}
BUDGETS: Mapping[str, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}
ALWAYS_THINKS = {**BUDGETS, "none": 128}

THINKING: tuple[tuple[str, Mapping[str, str] | Mapping[str, int] | None], ...] = (
    (r"gemini-2\.5-pro|gemini-3-pro-image|nano-banana-pro", ALWAYS_THINKS),
    (r"gemini-2\.5-(computer-use|flash-image|.*tts)", None),
    (r"gemini-2\.5|gemini-robotics-er-1", BUDGETS),
    (r"gemini-(1|2|exp|gemma|pro$|pro-vision)|(?!gemini-)", None),
    (r"gemini-3-pro", LOW_OR_HIGH),
    (r"gemini-(3(\.[0-6])?-flash|.*flash-lite)", LEVELS),
    (r"gemini-", AT_LEAST_LOW),
)
"""The first that matches: a level or a number of tokens for each effort; None for models that do not think.

https://ai.google.dev/gemini-api/docs/openai#thinking, https://ai.google.dev/gemini-api/docs/thinking
"""


def is_newest(model: str) -> bool:
    """Whether it is of the third generation or later: signatures are checked, calls have ids, results may hold images."""
    return GEMINI.match(model) is not None and OLDER.match(model) is None


def takes_system_instruction(model: str) -> bool:
    return NO_SYSTEM_INSTRUCTION.match(model) is None


def thinking(model: str, effort: object) -> JSON | None:
    """The `thinkingConfig` for an effort; None where the model does not think. Raises BadRequestError for an unknown effort."""
    if not isinstance(effort, str) or effort not in LEVELS:
        known = ", ".join(LEVELS)
        raise BadRequestError(f"Invalid value for 'reasoning_effort': use one of {known}.", param="reasoning_effort")
    efforts = next((found for pattern, found in THINKING if re.match(pattern, model)), None)
    if efforts is None:
        return None
    value = efforts[effort]
    shown = {"includeThoughts": True} if effort != "none" else {}
    return {"thinkingBudget": value, **shown} if isinstance(value, int) else {"thinkingLevel": value, **shown}
