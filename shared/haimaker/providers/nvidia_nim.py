"""NVIDIA NIM.

https://docs.api.nvidia.com/nim/reference/llm-apis: only what a user says may be a list of parts.
https://docs.nvidia.com/nim/nemo-retriever/text-embedding/latest/reference.html
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, MessageRules, Provider

# https://docs.api.nvidia.com/nim/reference/nvidia-llama-3_2-nv-rerankqa-1b-v2-infer
RERANK = Provider(
    "nvidia_nim",
    adapter="nvidia",
    endpoint=Endpoint("https://ai.api.nvidia.com/v1"),
    dialect=Dialect(add={"truncate": "END"}),
    limits=Limits(max_inputs=512),
)

PROVIDER = Provider(
    "nvidia_nim",
    endpoint=Endpoint("https://integrate.api.nvidia.com/v1"),
    auth=Auth(key_variables=("NVIDIA_API_KEY",)),
    dialect=Dialect(rename=MAX_TOKENS, messages=MessageRules(flattens_content=True)),
    operations={
        "embeddings": Provider("nvidia_nim", dialect=Dialect(add={"input_type": "passage"})),
        "rerank": RERANK,
    },
)
