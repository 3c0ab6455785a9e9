"""POST /v1/completions, whole and streamed; /openai/deployments/{model}/completions for Azure's clients."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("completions", "health"), streams=True)
