"""Weights & Biases.

https://docs.wandb.ai/inference
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, Provider

PROVIDER = Provider(
    "wandb",
    endpoint=Endpoint("https://api.inference.wandb.ai/v1"),
    dialect=Dialect(rename=MAX_TOKENS, forwards=("openai-project",)),
)
