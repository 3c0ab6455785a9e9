"""POST /v1/responses, whole and streamed, and what belongs to it: OpenAI's newer format, for every model."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
SERVES = (
    *("responses", "responses_compact", "responses_socket", "responses_input_tokens", "health"),
    *("responses_retrieve", "responses_delete", "responses_cancel", "responses_input_items"),
)
handler = LambdaHandler(gateway, serves=SERVES, streams=True)
