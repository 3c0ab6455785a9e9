"""Vertex AI of Google Cloud.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference: Gemini, but for one field;
locations: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations
"""

from collections.abc import Mapping

from haimaker.lean_dataclasses import replace
from haimaker.models.matching import OTHERS
from haimaker.providers import anthropic, gemini, mistral
from haimaker.providers.common import MAX_TOKENS, REASONING, voices
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, MessageRules, NativeBatches, Provider

# https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/mistral
MISTRAL = replace(
    mistral.PROVIDER,
    name="vertex_ai",
    endpoint=Endpoint(
        path="/publishers/mistralai/models/{model}:rawPredict",
        streamed_path="/publishers/mistralai/models/{model}:streamRawPredict",
    ),
)

CLAUDE_BETAS = {**anthropic.BETAS_ELSEWHERE, "interleaved-thinking-2025-05-14": "interleaved-thinking-2025-05-14"}

# Models of other vendors on Vertex AI: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/use-partner-models
FAMILIES: Mapping[str, Provider] = {
    # https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
    "claude": Provider(
        "vertex_ai",
        adapter="anthropic_vertex",
        family="claude",
        dialect=Dialect(forwards=("anthropic-beta",), betas=CLAUDE_BETAS),
        limits=replace(anthropic.PROVIDER.limits, inlines_images=True),
    ),
    **dict.fromkeys(("mistral", "magistral"), MISTRAL),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/ai21
    "jamba": Provider(
        "vertex_ai",
        endpoint=Endpoint(
            path="/publishers/ai21/models/{model}:rawPredict", streamed_path="/publishers/ai21/models/{model}:streamRawPredict"
        ),
        dialect=Dialect(rename=MAX_TOKENS, messages=MessageRules(strips_fields=REASONING)),
    ),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis
    "/": Provider(
        "vertex_ai",
        endpoint=Endpoint(path="/endpoints/openapi{path}"),
        dialect=Dialect(rename=MAX_TOKENS, messages=MessageRules(strips_fields=REASONING)),
        limits=Limits(inlines_images=True),
    ),
}

# https://docs.cloud.google.com/text-to-speech/docs/list-voices-and-types: all that is not Gemini's. Chirp's voices have the names
# of Gemini's, those of older kinds have letters. https://docs.cloud.google.com/text-to-speech/quotas: 5,000 bytes
CHIRP_SPEECH = Provider(
    "vertex_ai",
    adapter="google_speech",
    endpoint=Endpoint("https://texttospeech.googleapis.com/v1"),
    auth=Auth(takes_google_tokens=True),
    dialect=Dialect(
        audio_formats=("mp3", "opus", "wav", "pcm"), drop=("instructions",), values=gemini.VOICES, add={"voice": "Kore"}
    ),
    limits=Limits(speeds=(0.25, 2.0), max_characters=5_000),
)

LETTERED_SPEECH = replace(
    CHIRP_SPEECH, dialect=replace(CHIRP_SPEECH.dialect, values=voices("C D A F D J I E G H A F J"), add={"voice": "C"})
)

STUDIO_SPEECH = replace(
    CHIRP_SPEECH, dialect=replace(CHIRP_SPEECH.dialect, values=voices("O Q Q O Q Q Q O O O Q O Q"), add={"voice": "O"})
)

GEMINI_SPEECH = replace(
    gemini.SPEECH,
    name="vertex_ai",
    adapter="gemini_vertex",
    auth=replace(gemini.SPEECH.auth, key_header="authorization", takes_google_tokens=True),
)
SPEECH = replace(
    GEMINI_SPEECH,
    families={
        "gemini": GEMINI_SPEECH,
        "lettered-voice": LETTERED_SPEECH,
        "studio-voice": STUDIO_SPEECH,
        OTHERS: CHIRP_SPEECH,
    },
)

# https://docs.cloud.google.com/speech-to-text/docs/models/chirp-3; all others are Gemini's.
CHIRP_TRANSCRIPTION = Provider(
    "vertex_ai",
    adapter="google_speech",
    endpoint=Endpoint(
        "https://{HOST}/v2/projects/{VERTEX_AI_PROJECT}/locations/{LOCATION}",
        hosts={"global": "speech.googleapis.com", "*": "{location}-speech.googleapis.com"},
        default_location="us-central1",
    ),
    auth=Auth(takes_google_tokens=True),
)

TRANSCRIPTION = Provider(
    "vertex_ai", adapter="gemini_vertex", auth=Auth(takes_google_tokens=True), families={"chirp": CHIRP_TRANSCRIPTION}
)

# https://docs.cloud.google.com/generative-ai-app-builder/docs/ranking
RERANK = Provider(
    "vertex_ai",
    adapter="discovery_engine",
    endpoint=Endpoint("https://discoveryengine.googleapis.com/v1/projects/{VERTEX_AI_PROJECT}/locations/global"),
    limits=Limits(max_inputs=200),
)

PROVIDER = Provider(
    "vertex_ai",
    adapter="gemini_vertex",
    endpoint=Endpoint(
        "https://{HOST}/v1/projects/{VERTEX_AI_PROJECT}/locations/{LOCATION}",
        hosts={
            "global": "aiplatform.googleapis.com",
            "us": "aiplatform.us.rep.googleapis.com",
            "eu": "aiplatform.eu.rep.googleapis.com",
            "*": "{location}-aiplatform.googleapis.com",
        },
        default_location="us-central1",
    ),
    auth=Auth(key_variables=("VERTEX_AI_ACCESS_TOKEN",), takes_google_tokens=True),
    dialect=Dialect(drop=("includeServerSideToolInvocations",)),
    catalog=Catalog(
        telemetry_name="gcp.vertex_ai",
        known_as={"chirp": "chirp"},
        unlisted=("@", "live", "deep-research", "gemma", "lyria", "medlm", "mistralai/", "google-text"),
    ),
    families=FAMILIES,
    operations={
        "audio_speech": SPEECH,
        "audio_transcriptions": TRANSCRIPTION,
        "rerank": RERANK,
    },
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini: half of the price, but not of
    # what is cached; 200,000 requests and 1 GB. https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/batch
    batches=NativeBatches(
        "vertex",
        (":generateContent", ":rawPredict"),
        lacks=("cachedContent", "serviceTier", "stream"),
        # Lines become a table, with one type a field.
        alike=("tools", "generationConfig.responseSchema", "generationConfig.responseJsonSchema"),
        needs=("bucket",),
        hosts={
            "storage": Provider(
                "vertex_ai", endpoint=Endpoint("https://storage.googleapis.com"), auth=Auth(takes_google_tokens=True)
            )
        },
    ),
)
