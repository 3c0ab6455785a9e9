"""POST /v1/embeddings; /openai/deployments/{model}/… for Azure's clients."""

from haimaker.edge import Edge
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=("embeddings", "health"), streams=True)
