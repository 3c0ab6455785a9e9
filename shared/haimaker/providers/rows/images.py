"""Rows of images where they are another matter than a provider's chat, each with its documentation beside it. Data only."""

from collections.abc import Mapping

from haimaker.providers.provider import Provider

GPT_ALONE = ("background", "moderation", "output_compression", "partial_images", "input_fidelity", "stream")
"""What only OpenAI's own models know."""
ALL = ("images_generations", "images_edits", "images_variations")


def for_all(row: Provider) -> Mapping[str, Provider]:
    return dict.fromkeys(ALL, row)


# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/dall-e: later models than dall-e-3 came with later versions.
AZURE_IMAGES = Provider(
    "azure",
    paths={
        "v1": "/openai/v1{path}",
        "preview": "/openai/v1{path}?api-version=preview",
        "*": "/openai/deployments/{model}{path}?api-version={version}",
    },
    default_version="2025-04-01-preview",
    version_variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
    key_header="api-key",
)
# https://docs.together.ai/reference/post-images-generations; its answers name no bytes but as base64.
TOGETHER_IMAGES = Provider(
    "together_ai",
    adapter="together",
    most_images=4,
    drop=(*GPT_ALONE, "quality", "style", "user"),
    values={"response_format": {"b64_json": "base64"}},
)
# https://docs.x.ai/docs/guides/image-generations: the shape of an image is a ratio, and what was charged is in the answer.
XAI_IMAGES = Provider("xai", adapter="xai", drop=(*GPT_ALONE, "style", "output_format"), reports_cost=True)
# https://www.recraft.ai/docs/api-reference/endpoints
RECRAFT_IMAGES = Provider(
    "recraft",
    adapter="recraft",
    most_images=6,
    drop=(*GPT_ALONE, "quality", "user", "output_format"),
    values={"style": {"vivid": "", "natural": ""}, "size": {"auto": ""}},
    reports_cost=True,
)
RECRAFT = Provider(
    "recraft",
    "https://external.api.recraft.ai/v1",
    ("RECRAFT_API_TOKEN",),
    adapter="",
    operations=for_all(RECRAFT_IMAGES),
)
