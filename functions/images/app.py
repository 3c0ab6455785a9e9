"""POST /v1/images/generations, /v1/images/edits and /v1/images/variations; /openai/deployments/{model}/… for Azure's clients."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("images_generations", "images_edits", "images_variations", "health"), streams=True)
