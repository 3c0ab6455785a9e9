"""POST /v1/responses, whole and streamed, and what belongs to it: OpenAI's newer format, for every model."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("responses", "responses_socket", "responses_input_tokens", "health"), streams=True)
