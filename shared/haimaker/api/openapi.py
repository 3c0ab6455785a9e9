"""The HTTP API as OpenAPI describes one, made from the paths and the schemas by which requests are checked; and a page of it.

https://spec.openapis.org/oas/v3.1.0
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib import import_module

from haimaker.api import body_schemas
from haimaker.api.openapi_fields import (
    ACCOUNT_BODIES,
    ACTIONS,
    BODIES,
    CHOICES,
    FORM,
    GOOGLES_KEY,
    MOST,
    NEEDED,
    PARAMETERS,
    QUERIES,
    WITHOUT_BODY,
)
from haimaker.api.paths import GOOGLE_MODELS, LOCAL_ROUTES, OF_GOOGLE, ROUTES, Route
from haimaker.http.values import JSON
from haimaker.validation import field_types
from haimaker.validation.shapes import Shape

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
MORE_FIELDS: Mapping[str, Shape] = {"chat_completions": field_types.CHAT}
"""Fields besides those of the class."""
UPLOADS = ("images_edits", "images_variations", "audio_transcriptions", "audio_translations")
"""Their bodies are forms, of which a file is a part."""
UNDESCRIBED = ("console", "gemini_unserved", "index", "responses_socket")
"""Pages, and what is refused whatever it says."""
WITHOUT_KEY = ("health", "models_hub", "metrics", "openapi", "docs", "link_read", "link_write", "sign_in", "sign_in_callback")
BEARER = "bearer"
ERRORS: Mapping[str, str] = {"messages": "AnthropicError", "gemini_": "GoogleError"}
"""By how the names of operations begin, in whose form an error is told; of all others in OpenAI's."""
ERROR = "Error"
WITHOUT_VERSION = ("/metrics", "/openapi.json", "/docs", "/links/")
"""Paths of the local gateway that are asked for as they are."""
OF_EARLIER = ("/files/{id}", "link_write")
"""Where links were until files had addresses of their own."""


@cache
def document(version: str) -> JSON:
    """Paths without those that only other clients' habits ask for: Azure's, those without `/v1`, Google's in its other version."""
    schemas: JSON = {**_error_schemas()}
    paths: dict[str, JSON] = {}
    for route in (*ROUTES, *LOCAL_ROUTES):
        if path := path_of(route):
            for action in ACTIONS.get(route.operation, ("",)):
                paths.setdefault(path.replace("{action}", action), {})[route.method.lower()] = _operation(route, action, schemas)
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
    if (route.template, route.operation) == OF_EARLIER:
        return None
    if route.action and route.template != GOOGLE_MODELS[0]:
        return None
    version = "" if route.template.startswith(("/v1beta/", *WITHOUT_VERSION)) else "/v1"
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
        for schema in media["schema"].get("allOf", [media["schema"]]):
            reference = schema.get("$ref", "").rpartition("/")[2]
            names += found["components"]["schemas"].get(reference, schema).get("properties", ())
    return " ".join(f"<code>{escape(name)}</code>" for name in dict.fromkeys(names))


def _operation(route: Route, action: str, schemas: JSON) -> JSON:
    slashes = [part for part in route.template.replace("{action}", action).split("/") if part]
    words = [route.method.lower(), *(part.strip("{+}").replace("-", "_") for part in slashes), *filter(None, [route.action])]
    found: JSON = {"operationId": "_".join(words), "tags": [slashes[0]]}
    if parameters := [*_in_path(slashes), *_in_query(f"{route.operation} {action}".rstrip())]:
        found["parameters"] = parameters
    if route.method in ("POST", "PUT") and route.operation not in WITHOUT_BODY:
        media, schema = _body(route.operation, action, schemas)
        found["requestBody"] = {"required": True, "content": {media: {"schema": schema}}}
    if route.operation in WITHOUT_KEY:
        found["security"] = []
    form = next((name for begin, name in ERRORS.items() if route.operation.startswith(begin)), ERROR)
    error = {"application/json": {"schema": {"$ref": f"{body_schemas.REFERENCE}{form}"}}}
    return {
        **found,
        "responses": {
            "200": {"description": "The answer; of a stream, server-sent events."},
            "default": {"description": "What is wrong, by the status, `code` and words.", "content": error},
        },
    }


def _in_path(slashes: Sequence[str]) -> Iterator[JSON]:
    for part in slashes:
        if part[0] == "{":
            yield {"name": part.strip("{+}"), "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(operation: str) -> Iterator[JSON]:
    """Of an operation, with its action behind it where it has several."""
    for name in QUERIES.get(operation, ()):
        schema = dict(PARAMETERS.get(f"{operation} {name}") or PARAMETERS.get(name, {"type": "string"}))
        if choices := CHOICES.get(operation, {}).get(name):
            schema = {"type": "string", "enum": list(choices)}
        elif most := MOST.get(operation, {}).get(name):
            schema["maximum"] = most
        yield {"name": name, "in": "query", "schema": schema, **({"required": True} if name in NEEDED.get(operation, ()) else {})}
    if operation.startswith(OF_GOOGLE):
        yield {"name": GOOGLES_KEY, "in": "query", "schema": {"type": "string"}}


def _body(operation: str, action: str, schemas: JSON) -> tuple[str, JSON]:
    """Its media type and its schema."""
    if operation in SCHEMAS:
        module, name = SCHEMAS[operation]
        schema = body_schemas.reference(getattr(import_module(f"haimaker.{module}"), name), schemas)
        if more := MORE_FIELDS.get(operation):
            schema = {"allOf": [schema, body_schemas.from_shape(more)]}
        if account := ACCOUNT_BODIES.get(f"{operation} {action}".rstrip()):
            needed = [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in account.one_of]
            own = {"properties": {name: {"type": "null"} for name in account.lacks}, **({"anyOf": needed} if needed else {})}
            schema = {"allOf": [schema, own]}
        return FORM if operation in UPLOADS else "application/json", schema
    body = BODIES[operation]
    if body.media not in (FORM, "application/json"):
        return body.media, {"type": "string", "contentMediaType": body.media}
    schema = body_schemas.from_shape(body.fields, body.required)
    if body.file:
        schema["properties"][body.file] = {"type": "string", "contentMediaType": "application/octet-stream"}
    closed = {"additionalProperties": False} if body.is_closed else {}
    return body.media, {**schema, "required": list(body.required), **closed}


def _error_schemas() -> JSON:
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    forms: Mapping[str, JSON] = {
        ERROR: {"message": text, "type": text, "param": maybe, "code": maybe},
        "AnthropicError": {"type": text, "message": text},
        "GoogleError": {"code": {"type": "integer"}, "message": text, "status": text},
    }
    return {
        name: {
            "type": "object",
            "properties": {"error": {"type": "object", "properties": fields, "required": list(fields)}},
            "required": ["error"],
        }
        for name, fields in forms.items()
    }
