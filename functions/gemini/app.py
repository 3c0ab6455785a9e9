"""POST /v1beta/models/{model}:generateContent, :streamGenerateContent, :countTokens, :embedContent and :batchEmbedContents, and the
same below /v1/models: Google's format, for every model."""

from haimaker.aws_lambda.handler import LambdaHandler
from haimaker.gateway import Gateway

gateway = Gateway.from_environment()
handler = LambdaHandler(
    gateway,
    serves=(
        *("gemini_generate", "gemini_stream", "gemini_count_tokens", "gemini_embed", "gemini_batch_embed", "gemini_unserved"),
        "health",
    ),
    streams=True,
)
