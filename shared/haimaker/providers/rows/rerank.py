"""How providers rank documents, where that is not simply in Cohere's format at their usual address. Data only."""

from haimaker.providers.provider import Provider

HAS_NOT = ("max_tokens_per_doc", "max_chunks_per_doc", "user")
"""Of Cohere's fields: all that is lost is a limit."""

# https://learn.microsoft.com/azure/ai-foundry/how-to/deploy-models-cohere-rerank
AZURE_AI = Provider(
    "azure_ai",
    adapter="cohere",
    paths={"v1": "/v1{path}", "v2": "/v2{path}", "*": "/providers/cohere/v2{path}"},
    drop=("max_chunks_per_doc",),
)
# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html
BEDROCK = Provider(
    "bedrock",
    "https://bedrock-agent-runtime.{AWS_REGION}.amazonaws.com",
    adapter="bedrock",
    signs_as="bedrock",
    most_inputs=1_000,
)
# https://deepinfra.com/Qwen/Qwen3-Reranker-8B/api
DEEPINFRA = Provider("deepinfra", "https://api.deepinfra.com/v1", adapter="deepinfra", reports_cost=True, most_inputs=1_024)
JINA_AI = Provider("jina_ai", drop=HAS_NOT, document_fields=("image",), most_inputs=2_048)  # https://jina.ai/reranker/
# https://docs.api.nvidia.com/nim/reference/nvidia-llama-3_2-nv-rerankqa-1b-v2-infer
NVIDIA_NIM = Provider("nvidia_nim", "https://ai.api.nvidia.com/v1", adapter="nvidia", add={"truncate": "END"}, most_inputs=512)
# https://huggingface.github.io/text-embeddings-inference/: unless told otherwise a server refuses a text that is too long, and more
# than 32 at once.
TEI = Provider("tei", adapter="tei", add={"truncate": True}, most_inputs=32)
# https://docs.cloud.google.com/generative-ai-app-builder/docs/ranking
VERTEX_AI = Provider(
    "vertex_ai",
    "https://discoveryengine.googleapis.com/v1/projects/{VERTEX_AI_PROJECT}/locations/global",
    adapter="discovery_engine",
    most_inputs=200,
)
# https://docs.voyageai.com/reference/reranker-api
VOYAGE = Provider("voyage", rename={"top_n": "top_k"}, drop=HAS_NOT, most_inputs=1_000)
