from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.api.paths import LOCAL_ROUTES, MODEL_OPERATIONS, ROUTES, match
from haimaker.http.errors import MethodNotAllowedError, NotFoundError

FOUND = [
    ("GET", "/", "index", {}),
    ("GET", "/metrics", "metrics", {}),
    ("GET", "/openapi.json", "openapi", {}),
    ("GET", "/docs", "docs", {}),
    ("GET", "/v1/audit", "audit_list", {}),
    ("GET", "/refusals", "refusals_list", {}),
    ("HEAD", "", "index", {}),
    ("GET", "/v1", "index", {}),
    ("POST", "/v1/chat/completions", "chat_completions", {}),
    ("POST", "/chat/completions", "chat_completions", {}),
    ("POST", "/v1/chat/completions/", "chat_completions", {}),
    ("POST", "//v1//chat/completions", "chat_completions", {}),
    ("POST", "/openai/deployments/gpt-4o/chat/completions", "chat_completions", {"model": "gpt-4o"}),
    ("POST", "/v1/openai/deployments/groq%2Fllama/chat/completions", "chat_completions", {"model": "groq/llama"}),
    ("POST", "/openai/deployments/openai/gpt-4o/chat/completions", "chat_completions", {"model": "openai/gpt-4o"}),
    ("POST", "/v1/openai/deployments/openrouter/z-ai/glm-6/completions", "completions", {"model": "openrouter/z-ai/glm-6"}),
    ("POST", "/openai/deployments/azure/a/audio/speech", "audio_speech", {"model": "azure/a"}),
    ("POST", "/openai/deployments/a/b/images/edits/", "images_edits", {"model": "a/b"}),
    ("POST", "/v1/completions", "completions", {}),
    ("POST", "/completions", "completions", {}),
    ("POST", "/openai/deployments/demo%2Fecho/completions", "completions", {"model": "demo/echo"}),
    ("POST", "/v1beta/models/gpt-4o:generateContent", "gemini_generate", {"id": "gpt-4o"}),
    ("POST", "/v1/v1beta/models/openai/gpt-4o:generateContent", "gemini_generate", {"id": "openai/gpt-4o"}),
    ("POST", "/v1beta/models/openai%2Fgpt-4o%3AstreamGenerateContent", "gemini_stream", {"id": "openai/gpt-4o"}),
    ("POST", "/v1/models/bedrock/nova-v1:0:streamGenerateContent", "gemini_stream", {"id": "bedrock/nova-v1:0"}),
    ("POST", "/v1beta/openai/gpt-4o:generateContent", "gemini_generate", {"id": "openai/gpt-4o"}),
    ("POST", "/models/a:countTokens", "gemini_count_tokens", {"id": "a"}),
    ("POST", "/v1beta/models/a:embedContent", "gemini_embed", {"id": "a"}),
    ("POST", "/v1beta/models/a:batchEmbedContents", "gemini_batch_embed", {"id": "a"}),
    ("POST", "/v1beta/models/a:predict", "gemini_unserved", {"id": "a:predict"}),
    ("POST", "/v1/models/a", "gemini_unserved", {"id": "a"}),
    ("GET", "/v1beta/models", "gemini_models_list", {}),
    ("GET", "/v1/v1beta/models/openai/gpt-4o", "gemini_models_retrieve", {"id": "openai/gpt-4o"}),
    ("POST", "/v1/responses", "responses", {}),
    ("POST", "/openai/v1/responses", "responses", {}),
    ("POST", "/openai/v1/chat/completions", "chat_completions", {}),
    ("POST", "/v1/openai/v1/audio/speech", "audio_speech", {}),
    ("POST", "/openai/v1/images/edits", "images_edits", {}),
    ("GET", "/openai/v1/models", "models_list", {}),
    ("GET", "/openai/v1/models/openai/gpt-4o", "models_retrieve", {"id": "openai/gpt-4o"}),
    ("POST", "/openai/v1/responses/compact", "responses_compact", {}),
    ("DELETE", "/openai/v1/responses/resp_1", "responses_delete", {"id": "resp_1"}),
    ("GET", "/openai/responses/resp_1/input_items", "responses_input_items", {"id": "resp_1"}),
    ("POST", "/openai/responses", "responses", {}),
    ("GET", "/v1/responses", "responses_socket", {}),
    ("POST", "/v1/responses/compact", "responses_compact", {}),
    ("POST", "/responses/input_tokens", "responses_input_tokens", {}),
    ("GET", "/v1/responses/resp_1", "responses_retrieve", {"id": "resp_1"}),
    ("DELETE", "/responses/resp_1", "responses_delete", {"id": "resp_1"}),
    ("POST", "/v1/responses/resp_1/cancel", "responses_cancel", {"id": "resp_1"}),
    ("GET", "/responses/resp_1/input_items", "responses_input_items", {"id": "resp_1"}),
    ("POST", "/v1/messages", "messages", {}),
    ("POST", "/v1/v1/messages", "messages", {}),
    ("GET", "/v1/v1/models", "models_list", {}),
    ("POST", "/v1beta/v1beta/models/a:embedContent", "gemini_embed", {"id": "a"}),
    ("POST", "/messages/count_tokens", "messages_count_tokens", {}),
    ("POST", "/v1/embeddings", "embeddings", {}),
    ("POST", "/openai/deployments/azure%2Fmine/embeddings", "embeddings", {"model": "azure/mine"}),
    ("POST", "/v1/images/generations", "images_generations", {}),
    ("POST", "/v1/openai/deployments/mine/images/edits", "images_edits", {"model": "mine"}),
    ("POST", "/images/variations", "images_variations", {}),
    ("POST", "/openai/images/variations", "images_variations", {}),
    ("POST", "/v1/audio/transcriptions", "audio_transcriptions", {}),
    ("POST", "/v1/audio/translations", "audio_translations", {}),
    ("POST", "/v1/audio/uploads", "audio_uploads", {}),
    ("POST", "/v1/audio/speech", "audio_speech", {}),
    ("POST", "/v1/moderations", "moderations", {}),
    ("POST", "/openai/moderations", "moderations", {}),
    ("POST", "/v1/rerank", "rerank", {}),
    ("POST", "/v2/rerank", "rerank", {}),
    ("POST", "/v1/v2/rerank", "rerank", {}),
    ("POST", "/v1/v1/rerank", "rerank", {}),
    ("GET", "/public/model_hub", "models_hub", {}),
    ("GET", "/v1/models", "models_list", {}),
    ("GET", "/v1/models/", "models_list", {}),
    ("GET", "/v1/models/gpt-4o", "models_retrieve", {"id": "gpt-4o"}),
    ("GET", "/v1/models/openai%2Fgpt-4o", "models_retrieve", {"id": "openai/gpt-4o"}),
    ("GET", "/models/openai/gpt-4o", "models_retrieve", {"id": "openai/gpt-4o"}),
    ("GET", "/openai/models", "models_list", {}),
    ("GET", "/openai/models/azure/mine", "models_retrieve", {"id": "azure/mine"}),
    ("GET", "/v1/models/together_ai/meta/llama%203", "models_retrieve", {"id": "together_ai/meta/llama 3"}),
    ("POST", "/key/generate", "key_generate", {}),
    ("POST", "/key/update", "key_update", {}),
    ("POST", "/key/block", "key_block", {}),
    ("POST", "/key/unblock", "key_unblock", {}),
    ("POST", "/key/delete", "key_delete", {}),
    ("POST", "/v1/key/regenerate", "key_regenerate", {}),
    ("GET", "/key/info", "key_info", {}),
    ("GET", "/v1/key/list", "key_list", {}),
    ("POST", "/team/new", "team_change", {"action": "new"}),
    ("GET", "/v1/team/list", "team_show", {"action": "list"}),
    ("POST", "/customer/block", "end_user_change", {"action": "block"}),
    ("GET", "/end_user/info", "end_user_show", {"action": "info"}),
    ("GET", "/spend/logs", "spend_logs", {}),
    ("GET", "/v1/spend/report", "spend_report", {}),
    ("GET", "/spend/keys", "spend_keys", {}),
    ("POST", "/v1/spend/calculate", "spend_calculate", {}),
    ("GET", "/v1/generation", "generation", {}),
    ("GET", "/v1/generation/content", "generation_content", {}),
    ("POST", "/v1/route/simulate", "route_simulate", {}),
    ("POST", "/auto-router/new", "auto_router_new", {}),
    ("GET", "/v1/auto-router/list", "auto_router_list", {}),
    ("GET", "/auto-router/router_1/info", "auto_router_info", {"id": "router_1"}),
    ("POST", "/auto-router/router_1/update", "auto_router_update", {"id": "router_1"}),
    ("POST", "/auto-router/router_1/delete", "auto_router_delete", {"id": "router_1"}),
    ("POST", "/auto-router/router_1/rules", "auto_router_rule", {"id": "router_1"}),
    ("POST", "/auto-router/router_1/rules/delete", "auto_router_rule_delete", {"id": "router_1"}),
    ("POST", "/auto-router/router_1/rules/reorder", "auto_router_reorder", {"id": "router_1"}),
    ("POST", "/auto-router/router_1/simulate", "auto_router_simulate", {"id": "router_1"}),
    ("GET", "/console", "console", {}),
    ("GET", "/console/", "console", {}),
    ("GET", "/v1/console/0123/vendor/lit-html.js", "console", {"file": "0123/vendor/lit-html.js"}),
    ("GET", "/providers", "providers_list", {}),
    ("POST", "/v1/key/import", "key_import", {}),
    ("POST", "/v1/providers/test", "providers_test", {}),
    ("POST", "/providers/credentials", "providers_credentials", {}),
    ("GET", "/sign-in", "sign_in", {}),
    ("GET", "/sign-in/callback", "sign_in_callback", {}),
    ("GET", "/sign-in/session", "sign_in_session", {}),
    ("POST", "/sign-in/out", "sign_out", {}),
    ("GET", "/links/a.png", "link_read", {"id": "a.png"}),
    ("PUT", "/v1/links/a", "link_write", {"id": "a"}),
    ("PUT", "/v1/files/a", "link_write", {"id": "a"}),
    ("POST", "/v1/files", "files_create", {}),
    ("POST", "/v1/uploads", "uploads_create", {}),
    ("POST", "/v1/uploads/upload_1/parts", "uploads_add_part", {"id": "upload_1"}),
    ("POST", "/v1/uploads/upload_1/complete", "uploads_complete", {"id": "upload_1"}),
    ("POST", "/uploads/upload_1/cancel", "uploads_cancel", {"id": "upload_1"}),
    ("GET", "/files", "files_list", {}),
    ("GET", "/v1/files/file-1", "files_retrieve", {"id": "file-1"}),
    ("GET", "/v1/files/file-1/content", "files_content", {"id": "file-1"}),
    ("DELETE", "/v1/files/file-1", "files_delete", {"id": "file-1"}),
    ("GET", "/batch/list", "batches_overview", {}),
    ("POST", "/batch/batch_1/cancel", "batches_overview_cancel", {"id": "batch_1"}),
    ("POST", "/v1/batches", "batches_create", {}),
    ("GET", "/v1/batches", "batches_list", {}),
    ("GET", "/batches/batch_1", "batches_retrieve", {"id": "batch_1"}),
    ("POST", "/v1/batches/batch_1/cancel", "batches_cancel", {"id": "batch_1"}),
    ("POST", "/v1/messages/batches", "messages_batches_create", {}),
    ("GET", "/v1/messages/batches", "messages_batches_list", {}),
    ("GET", "/v1/messages/batches/b_1", "messages_batches_retrieve", {"id": "b_1"}),
    ("DELETE", "/v1/messages/batches/b_1", "messages_batches_delete", {"id": "b_1"}),
    ("POST", "/v1/messages/batches/b_1/cancel", "messages_batches_cancel", {"id": "b_1"}),
    ("GET", "/v1/messages/batches/b_1/results", "messages_batches_results", {"id": "b_1"}),
    ("GET", "/health", "health", {}),
    ("HEAD", "/health", "health", {}),
    ("GET", "/v1/health", "health", {}),
]
FOUND += [
    ("POST", path.replace("{model}", "demo%2Fecho"), name, {"model": "demo/echo"} if "{model}" in path else {})
    for name, operation in MODEL_OPERATIONS.items()
    for path in operation.paths()
    if not operation.action
]
"""Another client format needs no row here."""

NOT_FOUND = [
    ("GET", "/v1/v1/v1/models"),
    ("POST", "/v1/embedding"),
    ("POST", "/v1/chat"),
    ("POST", "/v1/chat/completions/more"),
    ("POST", "/v1/chat%2Fcompletions"),
    ("POST", "/openai/deployments/completions"),
    ("OPTIONS", "*"),
    ("GET", "/V1/models"),
]

NOT_ALLOWED = [
    ("POST", "/v1", "GET, HEAD"),
    ("GET", "/v1/chat/completions", "POST"),
    ("OPTIONS", "/v1/chat/completions", "POST"),
    ("HEAD", "/key/generate", "POST"),
    ("POST", "/v1/models", "GET, HEAD"),
    ("DELETE", "/v1/models/openai/gpt-4o", "GET, HEAD, POST"),
    ("get", "/health", "GET, HEAD"),
]


@pytest.mark.parametrize(("method", "path", "operation", "path_params"), FOUND)
def test_found(method, path, operation, path_params):
    assert match(method, path) == (operation, path_params)


@pytest.mark.parametrize(("method", "path"), NOT_FOUND)
def test_not_found(method, path):
    with pytest.raises(NotFoundError) as raised:
        match(method, path)
    assert raised.value.code == "unknown_url"
    assert f"{method} {path}" in raised.value.message


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/v1/realtime/client_secrets", "OpenAI's Realtime API. Use /v1/audio/transcriptions and /v1/audio/speech."),
        ("POST", "/openai/v1/vector_stores", "OpenAI's vector stores."),
        ("GET", "/openai/assistants", "OpenAI's Assistants. Ask POST /v1/responses."),
        ("DELETE", "/threads/thread_1/runs/run_1", "OpenAI's Assistants. Ask POST /v1/responses."),
        ("POST", "/v1/fine_tuning/jobs", "fine-tuning."),
        ("POST", "/v1/videos", "videos."),
        ("POST", "/v1beta/cachedContents", "Google's stored caches."),
        ("POST", "/v2/chat", "Cohere's chat. Ask POST /v1/chat/completions."),
        ("POST", "/v1/complete", "Anthropic's text completions. Ask POST /v1/messages."),
        ("GET", "/api/tags", "Ollama's tags. Ask GET /v1/models."),
        ("POST", "/v1/chat/completion", ""),
        ("POST", "/api/tag", ""),
        ("POST", "/realtimes", ""),
    ],
)
def test_what_providers_have_and_this_gateway_has_not_is_named(method: str, path: str, told: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        match(method, path)
    expected = f"This gateway does not serve {told}" if told else "Please check the URL for typos."
    assert (raised.value.code, raised.value.message) == ("unknown_url", f"Unknown request URL: {method} {path}. {expected}")


@pytest.mark.parametrize(("method", "path", "allowed"), NOT_ALLOWED)
def test_not_allowed(method, path, allowed):
    with pytest.raises(MethodNotAllowedError) as raised:
        match(method, path)
    assert (raised.value.status, raised.value.code) == (405, "method_not_allowed")
    assert raised.value.headers == {"allow": allowed}


def test_every_route_is_in_the_table_above():
    assert {route.operation for route in (*ROUTES, *LOCAL_ROUTES)} == {operation for _, _, operation, _ in FOUND}


@given(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS"]), st.text(alphabet="/v1modelskey%2F{}+\x00é", max_size=40))
def test_any_path_has_one_of_three_ends(method, path):
    try:
        path_params = match(method, path).path_params
    except (NotFoundError, MethodNotAllowedError) as error:
        path_params = {"message": error.message}
    assert all(value and "{" not in name for name, value in path_params.items())


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1), min_size=1, max_size=4))
def test_a_model_name_survives_escaped_and_not(segments):
    name = "/".join(segments)
    assert match("GET", f"/v1/models/{quote(name, safe='')}").path_params == {"id": name}
    assert match("GET", f"/v1/models/{quote(name)}").path_params == {"id": name}
