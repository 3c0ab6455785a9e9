"""Hugging Face's Inference Providers.

https://huggingface.co/docs/inference-providers/tasks/chat-completion: what it routes to, names reasoning differently.
"""

from dataclasses import replace

from haimaker.providers import tei
from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "huggingface",
    endpoint=Endpoint("https://router.huggingface.co/v1"),
    auth=Auth(key_variables=("HF_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS),
    limits=Limits(single_choice=True),
    operations={
        "embeddings": Provider(
            "huggingface",
            adapter="huggingface",
            endpoint=Endpoint("https://router.huggingface.co/hf-inference"),
            dialect=Dialect(drop=("user",)),
        ),
        "rerank": replace(tei.RERANK, name="huggingface"),  # at an address of one's own: its Inference Endpoints
    },
)
