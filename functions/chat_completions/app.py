"""POST /v1/chat/completions, whole and streamed; /openai/deployments/{model}/chat/completions for Azure's clients."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("chat_completions", "health"), streams=True)
