"""POST /v1/audio/transcriptions, /v1/audio/translations and, for large files, /v1/audio/uploads; Azure's paths of the first two."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(gateway, serves=("audio_transcriptions", "audio_translations", "audio_uploads", "health"), streams=True)
