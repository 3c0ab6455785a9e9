"""Families of models that make or read images, sound and vectors, and of those that providers have and that are not served. Data.

As in `families.py`; many have no traits, but a way of being asked, which providers and formats have under the family's name.
"""

from haimaker.models.traits import Family, Groups

GOOGLE_OTHERS = (
    Family("imagen", r"imagen|imagegeneration", image_sizes=False),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api
    Family("imagen-4", r"imagen-4\.0-(?:ultra-)?generate", image_sizes=True),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api, …/multimodal-embeddings-api
    Family("multimodalembedding", r"multimodalembedding", one_input=True),
    Family("text-embedding-large", r"text-embedding-large-exp", one_input=True),
)

STABILITY = (
    Family("stability", r"stable-|sd3"),
    Family("stable-image", r"sd3|stable-image-(?:core|ultra)"),
    Family("stable-diffusion-xl", r"stable-diffusion-xl"),
)

MARENGO = (Family("marengo", r"marengo"),)

# https://developers.deepgram.com/docs/tts-models
AURA = (
    Family("aura", r"aura"),
    Family("aura-1", r"aura(?:-1)?(?:$|-[a-z])"),
    Family("aura-2", r"aura-2"),
    Family("aura-voice", r"aura-(?:\d+-)?[a-z]+-[a-z]{2}$", is_voice=True),
)
# Families of which providers speak, and that have no traits of their own.
SPEECH = (
    Family("deepgram-nova-3", r"nova-3"),
    Family("tts", r"tts-"),
    Family("orpheus-arabic", r"orpheus-arabic"),
    Family("whisper", r"whisper"),
    Family("whisper-turbo", r"whisper.*turbo"),
    Family("chirp", r"chirp"),
    Family("lettered-voice", r"neural2|wavenet|standard"),
    Family("studio-voice", r"studio"),
    Family("generative-voice", r"generative"),
    Family("long-form-voice", r"long-form"),
    Family("speech", r"speech-"),
)
UNSERVED = (
    Family("live", r".*realtime|gpt-live|.*transcribe-live"),
    Family("computer-use", r"computer-use"),
    Family("deep-research", r"deep-research"),
    Family("lyria", r"lyria"),
    Family("medlm", r"medlm"),
    Family("google-text", r"text-"),
    Family("fireworks-asr", r"fireworks-asr"),
    Family("qwen-media", r"qwen.*-tts|qwen-image"),
)
EMBEDDINGS = (
    Family("embed", r"embed"),
    Family("embed-v4", r"embed-v4"),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/titan-models.html
    Family("titan-embed", r"titan-embed"),
    Family("titan-embed-v2", r"titan-embed-text-v2"),
    Family("titan-embed-image", r"titan-embed-image"),
    Family("nova-embed", r"nova.*embed"),
)
AMAZON_IMAGES = (Family("titan-image", r"titan-image"), Family("nova-canvas", r"nova-canvas"))

MEDIA_GROUPS: Groups = (
    (("imagen", "imagegeneration", "multimodalembedding", "text-embedding"), GOOGLE_OTHERS),
    (("stable-", "sd3"), STABILITY),
    (("marengo",), MARENGO),
    (("aura",), AURA),
    (
        (
            "nova-3",
            "tts",
            "orpheus",
            "whisper",
            "chirp",
            "neural2",
            "wavenet",
            "standard",
            "studio",
            "generative",
            "long-form",
            "speech",
        ),
        SPEECH,
    ),
    (("live", "realtime", "use", "research", "lyria", "medlm", "text-", "asr", "qwen"), UNSERVED),
    (("embed",), EMBEDDINGS),
    (("titan-image", "canvas"), AMAZON_IMAGES),
)
