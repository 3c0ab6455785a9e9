"""Which family a Bedrock model is of, and what each family takes. Data, and look-ups in it.

Converse unites the shape of requests, not what models accept:
https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from haimaker.operations.attempt import Attempt

FAMILY = re.compile(r"(?:^|[./:])(claude|nova-2|nova|mistral|openai|xai|cohere|meta|deepseek|ai21|qwen)\b")
"""Found in ids, in inference profiles with a region before them, and in ARNs; an application's profile tells nothing."""

OLDER_CLAUDE = re.compile(r"claude-(?:3|v\d|instant)|claude-(?:opus|sonnet)-4-2025")
"""Takes `temperature` and `top_p` at once, which later ones refuse."""


SYSTEMLESS = re.compile(r"titan-t|mistral-7b|mixtral|command-(?:light-)?text|j2-")
"""Takes no word of the system, which is said by the user then; see the table of features above."""


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    top_k: tuple[str, ...] = ("top_k",)
    """Where `top_k` goes in the fields of the model's own."""
    forces_any: bool = True
    forces_named: bool = True
    """Whether a tool can be demanded: any, or one by name."""
    inlines_definitions: bool = True
    """Whether a tool's schema must not refer to definitions of its own."""
    plain_schema: bool = False
    """Whether a tool's schema may have nothing but type, properties and required at its top."""
    short_tool_ids: bool = False
    """Whether tool ids are nine letters or digits."""
    prefills: bool = False
    """Whether an assistant's turn may be the last."""
    effort_field: str | None = None
    """Where the model's own fields take `reasoning_effort` as it is."""


FAMILIES: Mapping[str, Family] = {
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html
    "claude": Family("claude", inlines_definitions=False, prefills=True),
    # https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html
    "nova": Family("nova", top_k=("inferenceConfig", "topK"), plain_schema=True),
    "nova-2": Family("nova-2", top_k=("inferenceConfig", "topK"), plain_schema=True),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-mistral-large-2407.html
    "mistral": Family("mistral", forces_named=False, short_tool_ids=True),
    "openai": Family("openai", forces_named=False, inlines_definitions=False, effort_field="reasoning_effort"),
    "xai": Family("xai", forces_named=False, inlines_definitions=False, effort_field="reasoning_effort"),
    "cohere": Family("cohere", top_k=("k",), forces_any=False, forces_named=False),
    "meta": Family("meta", forces_any=False, forces_named=False),
    "ai21": Family("ai21", forces_any=False, forces_named=False),
}
OTHER = Family("other", forces_named=False)
UNTOLD = Family("untold", prefills=True)
"""An ARN that does not name its model; nothing is kept from it."""


def family_of(model: str) -> Family:
    found = FAMILY.search(model.lower())
    if found:
        return FAMILIES.get(found[1], OTHER)
    return UNTOLD if model.startswith("arn:") else OTHER


def takes_system(model: str) -> bool:
    return SYSTEMLESS.search(model) is None


def known(attempt: Attempt) -> bool:
    """Whether the table of facts has the model, so that what it does not say the model can, the model can't."""
    return attempt.model_info.max_input_tokens is not None or bool(attempt.model_info.supports)


def can(attempt: Attempt, *capabilities: str) -> bool:
    """Whether the model has one of these capabilities, as far as is known."""
    return any(name in attempt.model_info.supports for name in capabilities)


def may(attempt: Attempt, capability: str) -> bool:
    """Whether nothing speaks against it: the model has it, or is not in the table."""
    return can(attempt, capability) or not known(attempt)
