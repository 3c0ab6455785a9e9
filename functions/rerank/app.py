"""POST /v1/rerank and /v2/rerank."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("rerank", "health"), streams=True)
