"""GET /v1/models, GET /v1/models/{id}, GET /public/model_hub and GET /health; /openai/models for Azure's clients, and
/v1beta/models for Google's. GET /metrics is refused in words that say where a stack's are."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(
    gateway,
    serves=("models_list", "models_retrieve", "gemini_models_list", "gemini_models_retrieve", "models_hub", "health", "metrics"),
)
