"""The HTTP API as OpenAPI describes one, made from the paths and the schemas by which requests are checked; and a page of it.

https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import import_module

from haimaker.api import body_schemas
from haimaker.api.paths import GOOGLE_MODELS, ROUTES, Route
from haimaker.http.values import JSON

SCHEMAS: Mapping[str, tuple[str, str]] = {
    "chat_completions": ("operations.chat", "ChatFields"),
    "completions": ("operations.completions", "CompletionFields"),
    "embeddings": ("operations.embeddings", "EmbeddingFields"),
    "images_generations": ("operations.images", "PromptFields"),
    "images_edits": ("operations.images", "PromptFields"),
    "images_variations": ("operations.images", "ImageFields"),
    "audio_speech": ("operations.speech", "SpeechFields"),
    "audio_transcriptions": ("operations.transcriptions", "TranscriptionFields"),
    "audio_translations": ("operations.transcriptions", "TranscriptionFields"),
    "moderations": ("operations.moderations", "ModerationFields"),
    "rerank": ("operations.rerank", "RerankFields"),
    "key_generate": ("api.account_fields", "KeyFields"),
    "key_update": ("api.account_fields", "KeyFields"),
    "key_block": ("api.account_fields", "KeyFields"),
    "key_unblock": ("api.account_fields", "KeyFields"),
    "key_delete": ("api.account_fields", "KeyFields"),
    "key_regenerate": ("api.account_fields", "KeyFields"),
    "team_change": ("api.account_fields", "TeamFields"),
    "end_user_change": ("api.account_fields", "EndUserFields"),
}
"""The module and the class of a request's body; other operations take any JSON object."""
UPLOADS = ("images_edits", "images_variations", "audio_transcriptions", "audio_translations")
"""Their bodies are forms, of which a file is a part."""
QUERIES: Mapping[str, tuple[str, ...]] = {
    "key_info": ("key",),
    "key_list": (
        "page", "size", "return_full_object", "key_alias", "team_id", "user_id", "key_hash", "search", "status",
        "sort_by", "sort_order",
    ),
    "spend_logs": ("start_date", "end_date", "limit", "cursor", "order", "key", "model", "provider",
                   "status", "user", "team", "tag"),
    "spend_report": ("start_date", "end_date", "group_by", "key", "keys", "top"),
    "generation": ("id",),
    "audit_list": ("start_date", "end_date", "limit", "cursor", "object_id", "changed_by_api_key", "action", "table_name",
                   "search"),
    "refusals_list": ("start_date", "end_date", "limit"),
    "providers_list": ("hours", "all"),
}  # fmt: skip
UNDESCRIBED = ("console", "gemini_unserved")
WITHOUT_KEY = ("health", "console", "models_hub")
BEARER, ERROR = "bearer", "Error"


@cache
def document(version: str) -> JSON:
    """Paths without those that only other clients' habits ask for: Azure's, those without `/v1`, Google's in its other version."""
    schemas: JSON = {ERROR: _error_schema()}
    paths: dict[str, JSON] = {}
    for route in ROUTES:
        if path := path_of(route):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "haimaker", "version": version, "description": "An OpenAI-compatible gateway to LLM providers."},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {BEARER: {"type": "http", "scheme": "bearer", "description": "A key of the gateway"}},
        },
        "security": [{BEARER: []}],
    }


def path_of(route: Route) -> str | None:
    """None for one that is not described."""
    if route.operation in UNDESCRIBED or route.template.startswith(("/openai/", "/v1/")):
        return None
    if route.action and route.template != GOOGLE_MODELS[0]:
        return None
    version = "" if route.template.startswith("/v1beta/") else "/v1"
    return f"{version}{route.template}".replace("+}", "}") + (f":{route.action}" if route.action else "")


def page(version: str) -> bytes:
    """What the document says, to be read in a browser: no script, nothing from anybody else."""
    found = document(version)
    rows = "".join(
        f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td><td>{_fields(operation, found)}</td></tr>"
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>haimaker: the API</title></head><body><main><h1>The API of this gateway</h1>"
        '<p>For programs: <a href="openapi.json">openapi.json</a>. Send a key as <code>Authorization: Bearer</code>.</p>'
        f"<table><thead><tr><th>Method</th><th>Path</th><th>Takes</th></tr></thead><tbody>{rows}</tbody></table></main></body></html>"
    ).encode()


def _fields(operation: JSON, found: JSON) -> str:
    names = [each["name"] for each in operation.get("parameters", ())]
    content = operation.get("requestBody", {}).get("content", {})
    for media in content.values():
        reference = media["schema"].get("$ref", "").rpartition("/")[2]
        names += found["components"]["schemas"].get(reference, {}).get("properties", ())
    return " ".join(f"<code>{escape(name)}</code>" for name in names)


def _operation(route: Route, schemas: JSON) -> JSON:
    slashes = [part for part in route.template.split("/") if part]
    words = [route.method.lower(), *(part.strip("{+}").replace("-", "_") for part in slashes), *filter(None, [route.action])]
    named: JSON = {"operationId": "_".join(words)}
    in_path = [
        {"name": part.strip("{+}"), "in": "path", "required": True, "schema": {"type": "string"}}
        for part in slashes
        if part[0] == "{"
    ]
    in_query = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in QUERIES.get(route.operation, ())]
    parameters = [*in_path, *in_query]
    found = {**named, "tags": [slashes[0]], **({"parameters": parameters} if parameters else {})}
    if route.method == "POST":
        media = "multipart/form-data" if route.operation in UPLOADS else "application/json"
        found["requestBody"] = {"required": True, "content": {media: {"schema": _body(route.operation, schemas)}}}
    if route.operation in WITHOUT_KEY:
        found["security"] = []
    error = {"$ref": f"#/components/schemas/{ERROR}"}
    return {
        **found,
        "responses": {
            "200": {"description": "The answer; of a stream, server-sent events."},
            "default": {"description": "An error in OpenAI's form.", "content": {"application/json": {"schema": error}}},
        },
    }


def _body(operation: str, schemas: JSON) -> JSON:
    if operation not in SCHEMAS:
        return {"type": "object"}
    module, name = SCHEMAS[operation]
    return body_schemas.reference(getattr(import_module(f"haimaker.{module}"), name), schemas)


def _error_schema() -> JSON:
    text = {"type": ["string", "null"]}
    fields = {"message": {"type": "string"}, "type": {"type": "string"}, "param": text, "code": text}
    inner = {"type": "object", "properties": fields, "required": list(fields)}
    return {"type": "object", "properties": {"error": inner}, "required": ["error"]}
