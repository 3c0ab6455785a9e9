"""The operations of the gateway and where they live, for every door: a table, and how a path is found in it. Pure.

Every path exists with and without `/v1`, and with it twice: Anthropic's and Cohere's SDKs put it behind a base URL, whatever that
ends in. scripts/api_paths.py writes this table into `template.yaml`, where API Gateway does the matching
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from haimaker.http.errors import MethodNotAllowedError, NotFoundError
from haimaker.http.values import Request
from haimaker.lean_dataclasses import replace


class Route(NamedTuple):
    """A method and a path, and the operation that they lead to. `{name}` is one segment of the path, `{name+}` one or more, to the
    end."""

    method: str
    template: str
    operation: str
    action: str = ""
    """What follows a colon at the end of the path, where that tells operations apart."""


class Match(NamedTuple):
    operation: str
    path_params: Mapping[str, str]


AZURE, AZURE_V1 = "/openai", "/openai/v1"
"""What Azure's clients put before OpenAI's paths: with a version as a parameter, and since August 2025."""


class ModelOperation(NamedTuple):
    """An operation that models serve."""

    path: str
    format: str
    """A module of `api/formats`, with the name of its `ClientFormat` behind a colon where that is not FORMAT."""
    more_paths: tuple[str, ...] = ()
    for_deployments: bool = True
    """Whether Azure's clients ask for it below `/openai/deployments/{model}`."""
    of_openai: bool = True
    """Whether they ask for it below `/openai/v1` too, as of all of OpenAI's API."""
    action: str = ""
    """Of Google's: several operations have one path, and this at its end. https://google.aip.dev/136"""

    def paths(self) -> tuple[str, ...]:
        """https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle"""
        deployment = (f"/openai/deployments/{{model}}{self.path}",) if self.for_deployments else ()
        newer = (f"{AZURE_V1}{self.path}",) if self.of_openai else ()
        return (self.path, *deployment, *self.more_paths, *newer)


GOOGLE_MODELS = ("/v1beta/models/{id+}", "/models/{id+}", "/v1beta/{id+}")
"""Where Google's clients name a model, in either version of its API; without `models`, where one has a slash, Vercel's AI SDK. What
stands for it has no other name than its sibling's, which API Gateway demands."""


def _google(action: str, client_format: str) -> ModelOperation:
    return ModelOperation(GOOGLE_MODELS[0], client_format, GOOGLE_MODELS[1:], for_deployments=False, of_openai=False, action=action)


MODEL_OPERATIONS: Mapping[str, ModelOperation] = {
    "chat_completions": ModelOperation("/chat/completions", "openai_chat"),
    "completions": ModelOperation("/completions", "completions"),
    "responses": ModelOperation("/responses", "responses", ("/openai/responses",), for_deployments=False),
    "responses_compact": ModelOperation(
        "/responses/compact", "responses_compaction", ("/openai/responses/compact",), for_deployments=False
    ),
    "messages": ModelOperation("/messages", "messages", for_deployments=False, of_openai=False),
    "embeddings": ModelOperation("/embeddings", "openai:EMBEDDINGS"),
    "images_generations": ModelOperation("/images/generations", "openai:IMAGES_GENERATIONS"),
    "images_edits": ModelOperation("/images/edits", "openai:IMAGES_EDITS"),
    "images_variations": ModelOperation("/images/variations", "openai:IMAGES_VARIATIONS", ("/openai/images/variations",)),
    "audio_transcriptions": ModelOperation("/audio/transcriptions", "openai:AUDIO_TRANSCRIPTIONS"),
    "audio_translations": ModelOperation("/audio/translations", "openai:AUDIO_TRANSLATIONS"),
    "audio_speech": ModelOperation("/audio/speech", "openai:AUDIO_SPEECH"),
    "moderations": ModelOperation("/moderations", "openai:MODERATIONS", ("/openai/moderations",), for_deployments=False),
    "gemini_generate": _google("generateContent", "gemini:WHOLE"),
    "gemini_stream": _google("streamGenerateContent", "gemini:STREAM"),
    "gemini_embed": _google("embedContent", "gemini:EMBED"),
    "gemini_batch_embed": _google("batchEmbedContents", "gemini:BATCH_EMBED"),
    "rerank": ModelOperation("/rerank", "openai:RERANK", ("/v1/rerank", "/v2/rerank"), for_deployments=False, of_openai=False),
}
"""The table of what models serve: dispatch, formats and paths are made from it, all that is written elsewhere is checked against it
(`tests/unit/test_model_operations.py`)."""

ROUTES = (
    *(Route("POST", path, name, about.action) for name, about in MODEL_OPERATIONS.items() for path in about.paths()),
    *(
        Route(route.method, azure + route.template, route.operation)
        for route in (
            Route("GET", "/responses", "responses_socket"),
            Route("POST", "/responses/input_tokens", "responses_input_tokens"),
            Route("GET", "/responses/{id}", "responses_retrieve"),
            Route("DELETE", "/responses/{id}", "responses_delete"),
            Route("POST", "/responses/{id}/cancel", "responses_cancel"),
            Route("GET", "/responses/{id}/input_items", "responses_input_items"),
            Route("GET", "/models", "models_list"),
            Route("GET", "/models/{id+}", "models_retrieve"),
        )
        for azure in ("", AZURE, AZURE_V1)
    ),
    Route("POST", "/messages/count_tokens", "messages_count_tokens"),
    Route("POST", "/audio/uploads", "audio_uploads"),
    Route("POST", "/files", "files_create"),
    Route("GET", "/files", "files_list"),
    Route("GET", "/files/{id}", "files_retrieve"),
    Route("GET", "/files/{id}/content", "files_content"),
    Route("DELETE", "/files/{id}", "files_delete"),
    Route("POST", "/uploads", "uploads_create"),
    Route("POST", "/uploads/{id}/parts", "uploads_add_part"),
    Route("POST", "/uploads/{id}/complete", "uploads_complete"),
    Route("POST", "/uploads/{id}/cancel", "uploads_cancel"),
    Route("POST", "/batches", "batches_create"),
    Route("GET", "/batches", "batches_list"),
    Route("GET", "/batches/{id}", "batches_retrieve"),
    Route("POST", "/batches/{id}/cancel", "batches_cancel"),
    Route("GET", "/batch/list", "batches_overview"),
    Route("POST", "/batch/{id}/cancel", "batches_overview_cancel"),
    Route("POST", "/messages/batches", "messages_batches_create"),
    Route("GET", "/messages/batches", "messages_batches_list"),
    Route("GET", "/messages/batches/{id}", "messages_batches_retrieve"),
    Route("DELETE", "/messages/batches/{id}", "messages_batches_delete"),
    Route("POST", "/messages/batches/{id}/cancel", "messages_batches_cancel"),
    Route("GET", "/messages/batches/{id}/results", "messages_batches_results"),
    Route("GET", "/public/model_hub", "models_hub"),
    *(Route("POST", path, "gemini_count_tokens", "countTokens") for path in GOOGLE_MODELS),
    *(Route("POST", path, "gemini_unserved") for path in GOOGLE_MODELS[:2]),
    Route("GET", "/v1beta/models", "gemini_models_list"),
    Route("GET", "/v1beta/models/{id+}", "gemini_models_retrieve"),
    Route("POST", "/key/generate", "key_generate"),
    Route("POST", "/key/update", "key_update"),
    Route("POST", "/key/block", "key_block"),
    Route("POST", "/key/unblock", "key_unblock"),
    Route("POST", "/key/delete", "key_delete"),
    Route("POST", "/key/regenerate", "key_regenerate"),
    Route("POST", "/key/import", "key_import"),
    Route("GET", "/key/info", "key_info"),
    Route("GET", "/key/list", "key_list"),
    Route("POST", "/team/{action}", "team_change"),
    Route("GET", "/team/{action}", "team_show"),
    Route("POST", "/customer/{action}", "end_user_change"),
    Route("GET", "/customer/{action}", "end_user_show"),
    Route("POST", "/end_user/{action}", "end_user_change"),
    Route("GET", "/end_user/{action}", "end_user_show"),
    Route("GET", "/spend/logs", "spend_logs"),
    Route("GET", "/spend/report", "spend_report"),
    Route("GET", "/spend/keys", "spend_keys"),
    Route("POST", "/spend/calculate", "spend_calculate"),
    Route("GET", "/generation", "generation"),
    Route("POST", "/route/simulate", "route_simulate"),
    Route("POST", "/auto-router/new", "auto_router_new"),
    Route("GET", "/auto-router/list", "auto_router_list"),
    Route("GET", "/auto-router/{id}/info", "auto_router_info"),
    Route("POST", "/auto-router/{id}/update", "auto_router_update"),
    Route("POST", "/auto-router/{id}/delete", "auto_router_delete"),
    Route("POST", "/auto-router/{id}/rules", "auto_router_rule"),
    Route("POST", "/auto-router/{id}/rules/delete", "auto_router_rule_delete"),
    Route("POST", "/auto-router/{id}/rules/reorder", "auto_router_reorder"),
    Route("POST", "/auto-router/{id}/simulate", "auto_router_simulate"),
    Route("GET", "/audit", "audit_list"),
    Route("GET", "/refusals", "refusals_list"),
    Route("GET", "/providers", "providers_list"),
    Route("POST", "/providers/test", "providers_test"),
    Route("POST", "/providers/credentials", "providers_credentials"),
    Route("GET", "/sign-in", "sign_in"),
    Route("GET", "/sign-in/callback", "sign_in_callback"),
    Route("GET", "/sign-in/session", "sign_in_session"),
    Route("POST", "/sign-in/out", "sign_out"),
    Route("GET", "/console", "console"),
    Route("GET", "/console/{file+}", "console"),
    Route("GET", "/health", "health"),
)

LOCAL_ROUTES = (
    Route("GET", "/", "index"),
    Route("GET", "/metrics", "metrics"),
    Route("GET", "/openapi.json", "openapi"),
    Route("GET", "/docs", "docs"),
    Route("GET", "/generation/content", "generation_content"),
    Route("GET", "/links/{id}", "link_read"),
    Route("PUT", "/links/{id}", "link_write"),
    Route("PUT", "/files/{id}", "link_write"),
)
"""Of the local gateway only: in the deployed stack links are to S3, which serves them itself, nobody opens a stage, and no
function may read what is kept of prompts and answers."""

BEFORE_DEPLOYMENTS = "/openai/deployments"
DEPLOYMENTS = BEFORE_DEPLOYMENTS.split("/")[1:]
DEPLOYED = sorted(
    (about.path.split("/")[1:] for about in MODEL_OPERATIONS.values() if about.for_deployments), key=len, reverse=True
)
"""What may follow the name of a deployment, the longest first."""
SHOWN_PATH_LENGTH = 200
OF_GOOGLE = "gemini_"
"""How the names of the operations of Google's API begin. Its clients may send their key as `?key=`, which means something else for
all others."""


def with_key_of_query(operation: str, request: Request) -> Request:
    """A request of Google's with its key where all keys are, and nowhere else. https://ai.google.dev/gemini-api/docs/api-key"""
    if not operation.startswith(OF_GOOGLE) or not request.query.get("key"):
        return request
    query = {name: value for name, value in request.query.items() if name != "key"}
    return replace(request, query=query, headers={"x-goog-api-key": request.query["key"], **request.headers})


def match(method: str, path: str) -> Match:
    """Finds the operation of a path that is still percent-encoded, so that `%2F` in a model's name is no separator.

    HEAD is answered wherever GET is. Raises NotFoundError or MethodNotAllowedError.
    """
    segments = [unquote(segment) for segment in path.split("/") if segment]
    for _ in range(2):  # in a base URL, and by an SDK that adds it
        if segments[:1] == ["v1"] or segments[:2] == ["v1beta", "v1beta"]:
            segments = segments[1:]
    if segments[:2] == DEPLOYMENTS:
        segments = _with_whole_deployment(segments)
    fixed = _FIXED.get(tuple(segments), {})
    wanted = "GET" if method == "HEAD" else method
    if wanted in fixed:
        return fixed[wanted]
    found = dict(fixed)
    for route, params in _with_parameters(segments):
        found.setdefault(route.method, Match(route.operation, params))
    if wanted in found:
        return found[wanted]
    shown = path[:SHOWN_PATH_LENGTH]
    if not found:
        from haimaker.api.unserved import words_for

        hint = words_for(segments[1:] if path.startswith(f"{AZURE}/") else segments) or "Please check the URL for typos."
        raise NotFoundError(f"Unknown request URL: {method} {shown}. {hint}", code="unknown_url")
    allowed = ", ".join(sorted({*found, "HEAD"} if "GET" in found else found))
    raise MethodNotAllowedError(f"Not allowed to {method} on {shown}; it takes {allowed}.", headers={"allow": allowed})


def _with_whole_deployment(segments: list[str]) -> list[str]:
    """The path with a deployment's name in one segment: AzureOpenAI puts it in as it is, slashes and all, and API Gateway has no
    template for that."""
    for ending in DEPLOYED:
        end = len(segments) - len(ending)
        if end > len(DEPLOYMENTS) and segments[end:] == ending:
            return [*DEPLOYMENTS, "/".join(segments[len(DEPLOYMENTS) : end]), *ending]
    return segments


_ALL = tuple((route, [part for part in route.template.split("/") if part]) for route in (*ROUTES, *LOCAL_ROUTES))
_TEMPLATES = tuple((route, template) for route, template in _ALL if "{" in route.template)
_FIXED: dict[tuple[str, ...], dict[str, Match]] = {}
"""By the segments of a path without parameters: what it is for, by method."""
for _route, _segments in _ALL:
    if "{" not in _route.template:
        _FIXED.setdefault(tuple(_segments), {})[_route.method] = Match(_route.operation, {})


def _with_parameters(segments: list[str]) -> Iterator[tuple[Route, Mapping[str, str]]]:
    """The routes whose templates a path fits, with the parameters that it has in them; of several the first is meant."""
    start, _, action = segments[-1].rpartition(":") if segments else ("", "", "")
    for route, template in _TEMPLATES:
        is_greedy = template[-1].endswith("+}")
        if len(segments) < len(template) or (len(segments) > len(template) and not is_greedy):
            continue
        if route.action and route.action != action:
            continue
        values = [*segments[:-1], start] if route.action else segments
        if is_greedy:
            values = [*values[: len(template) - 1], "/".join(values[len(template) - 1 :])]
        pairs = list(zip(template, values, strict=True))
        if all(expected == value for expected, value in pairs if not expected.startswith("{")):
            yield route, {expected.strip("{+}"): value for expected, value in pairs if expected.startswith("{")}
