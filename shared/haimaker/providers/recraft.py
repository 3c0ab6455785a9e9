"""Recraft."""

from haimaker.providers.common import GPT_IMAGE_ONLY, for_images
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

# https://www.recraft.ai/docs/api-reference/endpoints
IMAGES = Provider(
    "recraft",
    adapter="recraft",
    dialect=Dialect(
        drop=(*GPT_IMAGE_ONLY, "quality", "user", "output_format"),
        values={"style": {"vivid": "", "natural": ""}, "size": {"auto": ""}},
    ),
    limits=Limits(max_images=6),
    catalog=Catalog(reports_cost=True),
)

PROVIDER = Provider(
    "recraft",
    adapter="",
    endpoint=Endpoint("https://external.api.recraft.ai/v1"),
    auth=Auth(key_variables=("RECRAFT_API_TOKEN",)),
    operations=for_images(IMAGES),
)
