"""What providers' APIs have besides models that answer, and this gateway does not serve: who asks for it is told so in words. Pure.

https://platform.openai.com/docs/api-reference, https://platform.claude.com/docs/en/api, https://ai.google.dev/api,
https://docs.cohere.com/reference, https://docs.voyageai.com/reference, https://docs.ollama.com/api
"""

from collections.abc import Mapping, Sequence
from itertools import dropwhile

CHAT, EMBEDDINGS, RESPONSES = (f"Ask POST /v1/{path}." for path in ("chat/completions", "embeddings", "responses"))
ADMINISTRATION = ("the administration of a provider's account", "This gateway's own is at /key, /team, /spend and /audit.")

UNSERVED: Mapping[str, tuple[str, str]] = {
    "realtime/": ("OpenAI's Realtime API", "Use /v1/audio/transcriptions and /v1/audio/speech."),
    "assistants/": ("OpenAI's Assistants", RESPONSES),
    "threads/": ("OpenAI's Assistants", RESPONSES),
    "conversations/": ("OpenAI's conversations", "Responses go on with 'previous_response_id'."),
    "vector_stores/": ("OpenAI's vector stores", ""),
    "containers/": ("OpenAI's containers", ""),
    "fine_tuning/": ("fine-tuning", ""),
    "videos/": ("videos", ""),
    "evals/": ("OpenAI's evals", ""),
    "chatkit/": ("OpenAI's ChatKit", ""),
    "skills/": ("the skills of a provider's account", ""),
    "organization/": ADMINISTRATION,
    "organizations/": ADMINISTRATION,
    "complete": ("Anthropic's text completions", "Ask POST /v1/messages."),
    "cachedContents/": ("Google's stored caches", ""),
    "fileSearchStores/": ("Google's stores for file search", ""),
    "tunedModels/": ("Google's tuned models", ""),
    "interactions/": ("Google's Interactions API", "Ask POST /v1beta/models/{model}:generateContent."),
    "chat": ("Cohere's chat", CHAT),
    "embed": ("Cohere's embed", EMBEDDINGS),
    "classify": ("Cohere's classify", ""),
    "tokenize": ("Cohere's tokenize", ""),
    "multimodalembeddings": ("Voyage's multimodal embeddings", EMBEDDINGS),
    "contextualizedembeddings": ("Voyage's contextualized embeddings", EMBEDDINGS),
    "api/chat": ("Ollama's chat", CHAT),
    "api/generate": ("Ollama's generate", "Ask POST /v1/completions."),
    "api/embed": ("Ollama's embed", EMBEDDINGS),
    "api/tags": ("Ollama's tags", "Ask GET /v1/models."),
    "api/show": ("Ollama's show", "Ask GET /v1/models/{model}."),
}
"""By a path without what stands for a version, or with a slash behind it by what one begins with: a name, and what
does as much here."""
BEFORE = frozenset({"v1", "v2", "v1beta", "upload"})


def words_for(segments: Sequence[str]) -> str:
    """What to tell who asked for a path that this gateway does not have; nothing where no provider of these has it."""
    path = "/".join(dropwhile(BEFORE.__contains__, segments))
    found = UNSERVED.get(path) or UNSERVED.get(path.partition("/")[0] + "/")
    return "This gateway does not serve {}. {}".format(*found).rstrip() if found else ""
