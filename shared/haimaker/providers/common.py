"""What the dialects of several providers have in common. Data only."""

from collections.abc import Mapping
from typing import TypeVar

Definition = TypeVar("Definition")

MAX_TOKENS = {"max_completion_tokens": "max_tokens"}
MAX_COMPLETION_TOKENS = {"max_tokens": "max_completion_tokens"}
PENALTIES = ("presence_penalty", "frequency_penalty")
CACHE = ("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention")
OPENAI_ONLY = ("metadata", "store", "service_tier", *CACHE, "safety_identifier", "verbosity", "moderation")
"""Parameters that do no harm when they are left out, and that a strict provider refuses."""
REASONING = ("reasoning_content", "reasoning", "annotations")
"""What a message of an earlier answer may still carry, and a strict provider refuses."""
COHERE_LIMITS = ("max_tokens_per_doc", "max_chunks_per_doc", "user")
"""Fields of Cohere's rerank that others lack; all that is lost without them is a limit."""

OPENAI_FAMILIES = ("gpt", "o-series")
"""Whom a host of many makers' models may serve by OpenAI's Responses."""

IMAGE_OPERATIONS = ("images_generations", "images_edits", "images_variations")
GPT_IMAGE_ONLY = (
    *("background", "complexity", "frame_count", "frame_duration_ms", "input_fidelity", "moderation", "output_compression"),
    *("partial_images", "safety_identifier", "stream", "svg"),
)
"""Parameters of images that only OpenAI's own models know."""

NEVER_STREAMS = {"stream": {"true": "", "false": ""}}
"""Spellings of `stream`, for transcriptions, that leave it out."""
# https://platform.openai.com/docs/api-reference/audio/createTranscription
WITH_TOKENS = {"response_format": {"text": "json"}}
"""Spellings of a transcription's format: a plain text would not say how many tokens it took."""

# https://platform.openai.com/docs/guides/text-to-speech#voice-options
OPENAI_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar")


def voices(theirs: str) -> Mapping[str, Mapping[str, str]]:
    """Spellings of `voice`: a provider's voices in the order of OpenAI's, each about as high and of the same sex as OpenAI's.

    Other names pass as they are.
    """
    return {"voice": dict(zip(OPENAI_VOICES, theirs.split(), strict=True))}


def for_images(definition: Definition) -> Mapping[str, Definition]:
    """The operations on images, all with one definition."""
    return dict.fromkeys(IMAGE_OPERATIONS, definition)
