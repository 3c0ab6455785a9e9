"""POST /v1/audio/speech; /openai/deployments/{model}/… for Azure's clients."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("audio_speech", "health"), streams=True)
