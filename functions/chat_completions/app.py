"""POST /v1/chat/completions, whole and streamed; /openai/deployments/{model}/chat/completions for Azure's clients."""

from haimaker.aws_lambda.handler import Edge
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=("chat_completions", "health"), streams=True)
