"""POST /v1/audio/speech; /openai/deployments/{model}/… for Azure's clients."""

from haimaker.aws_lambda.handler import Edge
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=("audio_speech", "health"), streams=True)
