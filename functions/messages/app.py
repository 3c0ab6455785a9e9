"""POST /v1/messages, whole and streamed, and /v1/messages/count_tokens: Anthropic's format, for every model."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("messages", "messages_count_tokens", "health"), streams=True)
