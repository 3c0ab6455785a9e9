"""POST /v1/moderations; /openai/moderations for Azure's clients."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("moderations", "health"), streams=True)
