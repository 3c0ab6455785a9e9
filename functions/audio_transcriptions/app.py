"""POST /v1/audio/transcriptions and /v1/audio/translations; /openai/deployments/{model}/… for Azure's clients."""

from haimaker.edge import Edge
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = Edge(gateway, serves=("audio_transcriptions", "audio_translations", "health"), streams=True)
