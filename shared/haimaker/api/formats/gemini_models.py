"""What can be asked for, in the shape of Google's `GET /v1beta/models`. Prices and capabilities are in OpenAI's (`api/models.py`).

https://ai.google.dev/api/models
"""

from haimaker.api import models
from haimaker.http.errors import invalid_value
from haimaker.http.json import to_whole_number
from haimaker.http.values import JSON, Request
from haimaker.routing.router import Router
from haimaker.store import Account

EMBEDDING = ["embedContent", "batchEmbedContents"]
CHAT = ["generateContent", "countTokens"]
PREFIX = "models/"


def list_models(router: Router, account: Account, request: Request) -> JSON:
    """The models that Google's format can ask for: all of them, unless `pageSize` asks for a page. Raises BadRequestError."""
    found = [_to_google(model) for model in models.usable_models(router, account) if _methods(model)]
    size, start = _count(request, "pageSize", len(found)), _count(request, "pageToken", 0)
    page = found[start : start + size]
    following = start + len(page)
    return {"models": page, **({"nextPageToken": str(following)} if page and following < len(found) else {})}


def get_model(router: Router, account: Account, request: Request) -> JSON:
    """Raises NotFoundError."""
    return _to_google(models.usable_model(router, account, request.path.get("id", "")))


def _to_google(model: JSON) -> JSON:
    name = model["id"]
    return {
        "name": PREFIX + name,
        "baseModelId": name,
        "version": "001",
        "displayName": name,
        "description": f"Served by {model['owned_by']}.",
        **({"inputTokenLimit": model["max_input_tokens"]} if model.get("max_input_tokens") else {}),
        **({"outputTokenLimit": model["max_output_tokens"]} if model.get("max_output_tokens") else {}),
        "supportedGenerationMethods": _methods(model),
        **({"thinking": True} if "reasoning" in model.get("capabilities", ()) else {}),
    }


def _methods(model: JSON) -> list[str]:
    mode = model.get("mode", "chat")
    return CHAT if mode in ("chat", "responses", "completion") else EMBEDDING if mode == "embedding" else []


def _count(request: Request, name: str, otherwise: int) -> int:
    given = request.query.get(name)
    if not given:
        return otherwise
    count = to_whole_number(given, most=10**9)
    if count is None:
        raise invalid_value(name, "a whole number")
    return count or otherwise
