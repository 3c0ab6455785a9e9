"""What Converse makes of each family of models, by the families' names. Data, and look-ups in it.

Converse unites the shape of requests, not what models accept:
https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html. What a model takes at
every host is in its traits.
"""

from collections.abc import Mapping

from haimaker.lean_dataclasses import dataclass
from haimaker.operations.attempt import Attempt


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
    """Whether an assistant's turn may be the last, whatever is known of the model."""
    effort_field: str | None = None
    """Where the model's own fields take `reasoning_effort`."""


FAMILIES: Mapping[str, Family] = {
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html
    "claude": Family("claude", inlines_definitions=False),
    # https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html
    "nova": Family("nova", top_k=("inferenceConfig", "topK"), plain_schema=True),
    "nova-2": Family("nova-2", top_k=("inferenceConfig", "topK"), plain_schema=True),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-mistral-large-2407.html
    "mistral": Family("mistral", forces_named=False, short_tool_ids=True),
    "magistral": Family("mistral", forces_named=False, short_tool_ids=True),
    "gpt": Family("openai", forces_named=False, inlines_definitions=False, effort_field="reasoning_effort"),
    "gpt-oss": Family("openai", forces_named=False, inlines_definitions=False, effort_field="reasoning_effort"),
    "grok": Family("xai", forces_named=False, inlines_definitions=False, effort_field="reasoning_effort"),
    "command": Family("cohere", top_k=("k",), forces_any=False, forces_named=False),
    "llama": Family("meta", forces_any=False, forces_named=False),
    "jamba": Family("ai21", forces_any=False, forces_named=False),
}
OTHER = Family("other", forces_named=False)
UNTOLD = Family("untold", prefills=True)
"""An ARN that does not name its model, and for which the deployer names none; nothing is kept from it."""


def family_of(attempt: Attempt) -> Family:
    found = attempt.traits.look_up(FAMILIES)
    return found or (UNTOLD if not attempt.traits.families and attempt.model.startswith("arn:") else OTHER)


def is_in_catalog(attempt: Attempt) -> bool:
    """Whether the catalogue has the model, so that what it does not say the model can, the model can't."""
    return attempt.model_info.max_input_tokens is not None or bool(attempt.model_info.supports)


def has_capability(attempt: Attempt, *capabilities: str) -> bool:
    """Whether the model has one of these capabilities, as far as is known."""
    return any(name in attempt.model_info.supports for name in capabilities)


def may_have_capability(attempt: Attempt, capability: str) -> bool:
    """Whether nothing speaks against it: the model has it, or is not in the catalogue."""
    return has_capability(attempt, capability) or not is_in_catalog(attempt)
