"""Google's SDK asks in Google's format: of a provider that speaks it, which is passed on, and of others, by a translation."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from google import genai
from google.genai import errors, types

from haimaker.http.values import JSON
from haimaker.upstream import relay
from tests.contract.money_support import Desk
from tests.contract.sdk_support import MODEL, only_record, price
from tests.support.documentation import ADDRESS, Guide, run, serve, shape
from tests.support.fake_upstream import Call, FakeUpstream, Pause
from tests.support.openai_wire import chunks, completion, tool_call, usage
from tests.support.reply import Reply

GEMINI = "gemini/gemini-2.5-flash"
NEWEST = "gemini/gemini-3-pro-preview"
HELLO: JSON = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
CLAUDE = "anthropic/claude-sonnet-5-5"
PARTS: list[JSON] = [
    {"text": "Hm.", "thought": True},
    {"executableCode": {"language": "PYTHON", "code": "1"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
    {"text": "Rain.", "thoughtSignature": "U0lH"},
    {"functionCall": {"name": "get_weather", "args": {"city": "Bern", "deep": [None]}, "id": "f1"}, "thoughtSignature": "U0lI"},
    {"partOfTomorrow": {"what": {"ever": [1, None]}}},
]
COUNTED: JSON = {
    "promptTokenCount": 20,
    "cachedContentTokenCount": 8,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 29,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
    "countOfTomorrow": 1,
}
WHOLE: JSON = {
    "candidates": [
        {
            "content": {"parts": PARTS, "role": "model"},
            "finishReason": "STOP",
            "index": 0,
            "safetyRatings": [{"category": "HARM", "probability": "LOW"}],
            "fieldOfTomorrow": {"a": [1]},
        }
    ],
    "usageMetadata": COUNTED,
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r1",
    "fieldOfTomorrow": {"a": [1]},
}
ASKED: JSON = {
    **HELLO,
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [{"functionDeclarations": [{"name": "get_weather", "behavior": "BLOCKING"}]}, {"codeExecution": {}}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}, "retrievalConfig": {"languageCode": "de"}},
    "safetySettings": [{"category": "HARM", "threshold": "BLOCK_NONE"}],
    "generationConfig": {"topK": 3, "maxOutputTokens": 90, "mediaResolution": "LOW", "fieldOfTomorrow": {"deep": [{"er": None}]}},
    "field_of_tomorrow": {"deep": [{"er": None}]},
}


GUIDE = Guide.read("docs/formats.md")


def client(desk: Desk, key: str) -> genai.Client:
    options = types.HttpOptions(
        base_url=desk.url.removesuffix("/v1"), timeout=30_000, retry_options=types.HttpRetryOptions(attempts=1)
    )
    return genai.Client(api_key=key, http_options=options)


@pytest.fixture
def google(desk: Desk, key: str) -> genai.Client:
    return client(desk, key)


def post(desk: Desk, key: str, model: str, action: str, body: JSON, **query: str) -> httpx.Response:
    url = f"{desk.url}/v1beta/models/{model}:{action}"
    return httpx.post(url, json=body, params=query, headers={"x-goog-api-key": key}, timeout=30, verify=False)


def events_of(answer: JSON) -> list[JSON]:
    """As Google streams an answer: a part an event, and what was used so far with each."""
    (candidate,) = answer["candidates"]
    *parts, last = candidate["content"]["parts"]
    head = {name: value for name, value in answer.items() if name not in ("candidates", "usageMetadata")}
    begun = {"promptTokenCount": 20, "totalTokenCount": 20}
    said = [{"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]} for part in parts]
    end = {**answer, "candidates": [{**candidate, "content": {"parts": [last], "role": "model"}}]}
    return [*({**one, "usageMetadata": begun, **head} for one in said), end]


def streamed(answer: JSON) -> Reply:
    return Reply.sse(events_of(answer), done=False, line_end="\r\n")


def data_of(response: httpx.Response) -> list[JSON]:
    return [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("form", ["whole", "events", "list"])
@pytest.mark.parametrize("model", [GEMINI, "vertex_ai/gemini-2.5-flash"])
def test_a_provider_that_speaks_it_is_passed_on(desk: Desk, key: str, upstream: FakeUpstream, form: str, model: str) -> None:
    """Nothing is lost in either direction, at any depth; the cost is added."""
    upstream.answers(Reply.json(200, WHOLE) if form == "whole" else streamed(WHOLE))
    action = "generateContent" if form == "whole" else "streamGenerateContent"
    response = post(desk, key, model, action, {**ASKED, "drop_params": True}, **({"alt": "sse"} if form == "events" else {}))
    sent = upstream.calls[-1]
    assert sent.json == ASKED
    assert sent.path.partition("?")[0].endswith(f"/models/gemini-2.5-flash:{action}")
    record = only_record(desk, key)
    assert (record.detail["cached_tokens"], record.detail["output_tokens"]) == (8, 9)
    assert "x-haimaker-dropped-params" not in response.headers
    priced = {**WHOLE, "usageMetadata": {**COUNTED, "cost": record.detail["cost_usd"]}}
    if form == "whole":
        assert response.json() == priced
    elif form == "list":
        assert response.headers["content-type"] == "application/json"
        assert response.json() == events_of(priced)
    else:
        assert data_of(response) == events_of(priced)


def scripted(message: JSON, *, stream: bool) -> Reply:
    return Reply.sse(chunks(usage=usage(), **message)) if stream else Reply.json(200, completion(**message))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("native", [False, True])
def test_the_sdk_reads_text_and_tools(
    google: genai.Client, desk: Desk, key: str, upstream: FakeUpstream, stream: bool, native: bool
) -> None:
    answer = {**WHOLE, "candidates": [{**WHOLE["candidates"][0], "content": {"parts": [PARTS[4]], "role": "model"}}]}
    if native:
        upstream.answers(streamed(answer) if stream else Reply.json(200, answer))
    else:
        upstream.answers(scripted({"tool_calls": [tool_call()]}, stream=stream))
    declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema={"type": "object"})
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    model = GEMINI if native else MODEL
    if stream:
        *_, last = google.models.generate_content_stream(model=model, contents="Hi", config=config)
    else:
        last = google.models.generate_content(model=model, contents="Hi", config=config)
    (called,) = last.function_calls or ()
    assert (called.name, (called.args or {}).get("city")) == ("get_weather", "Bern" if native else "Zürich")
    assert last.candidates
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    record = only_record(desk, key)
    assert record.detail["client_format"] == "gemini_generate"
    if not native:
        assert record.cost_nanousd == price(10, 5)
        assert last.usage_metadata
        assert (last.usage_metadata.prompt_token_count, last.usage_metadata.candidates_token_count) == (10, 5)


@pytest.mark.parametrize("stream", [False, True])
def test_functions_are_called_automatically(google: genai.Client, upstream: FakeUpstream, stream: bool) -> None:
    """The second turn has the first answer in it, as the SDK sends it back."""

    def get_weather(city: str) -> str:
        """The weather of a city."""
        return f"Rain in {city}."

    upstream.answers(scripted({"tool_calls": [tool_call()]}, stream=stream), scripted({}, stream=stream))
    config = types.GenerateContentConfig(tools=[get_weather])
    chat = google.chats.create(model=MODEL, config=config)
    if stream:
        assert "".join(answer.text or "" for answer in chat.send_message_stream("Weather?")) == "Hello!"
    else:
        assert chat.send_message("Weather?").text == "Hello!"
    said, result = upstream.calls[-1].json["messages"][1:]
    assert [call["id"] for call in said["tool_calls"]] == ["call_1"]
    assert json.loads(said["tool_calls"][0]["function"]["arguments"]) == {"city": "Zürich"}
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "call_1", "Rain in Zürich.")


def claude(content: list[JSON], stop_reason: str) -> Reply:
    used = {"input_tokens": 20, "output_tokens": 9}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "stop_sequence": None}
    return Reply.json(200, {**head, "content": content, "stop_reason": stop_reason, "usage": used})


def test_what_another_vendor_thought_comes_back_to_it_alone(
    google: genai.Client, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    """Over three turns: signed by Claude, told to Claude again, and not to Google."""
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Bern"}}
    upstream.answers(claude([thinking, use], "tool_use"), claude([{"type": "text", "text": "Rain."}], "end_turn"))
    declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema={"type": "object"})
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    chat = google.chats.create(model=CLAUDE, config=config)
    assert [call.id for call in chat.send_message("Weather?").function_calls or ()] == ["toolu_1"]
    result = types.Part.from_function_response(name="get_weather", response={"output": "Rain."})
    assert chat.send_message(result).text == "Rain."
    said, answered = upstream.calls[-1].json["messages"][1:3]
    assert said["content"] == [thinking, use]
    assert answered["content"][0]["tool_use_id"] == "toolu_1"
    upstream.answers(Reply.json(200, WHOLE))
    told = chat.get_history()
    google.models.generate_content(model=NEWEST, contents=[*told, types.Content(role="user", parts=[types.Part(text="And now?")])])
    (_, part) = upstream.calls[-1].json["contents"][1]["parts"]
    assert part["functionCall"]["name"] == "get_weather"
    assert part["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (Reply.json(429, {"error": {"message": "Slow down."}}, {"retry-after": "7"}), 429, "RESOURCE_EXHAUSTED"),
        (Reply.json(400, {"error": {"message": "No."}}), 400, "INVALID_ARGUMENT"),
        (Reply.json(503, {"error": {"message": "Busy."}}), 503, "UNAVAILABLE"),
    ],
)
def test_errors_of_a_provider_are_the_sdks_own(
    google: genai.Client, upstream: FakeUpstream, answer: Reply, status: int, kind: str, stream: bool
) -> None:
    upstream.answers(answer)
    ask = google.models.generate_content_stream if stream else google.models.generate_content
    with pytest.raises(errors.ClientError if status < 500 else errors.ServerError) as raised:
        list(ask(model="once", contents="Hi"))
    assert (raised.value.code, raised.value.status) == (status, kind)


@pytest.mark.parametrize(
    ("model", "make_key", "status", "kind"),
    [
        (MODEL, lambda desk: "sk-hm-nobody", 401, "UNAUTHENTICATED"),
        ("nowhere/none", lambda desk: desk.key(), 404, "NOT_FOUND"),
        (MODEL, lambda desk: desk.key(max_budget=0.000001), 402, "FAILED_PRECONDITION"),
        (MODEL, lambda desk: desk.key(models=["groq/*"]), 403, "PERMISSION_DENIED"),
    ],
)
def test_refusals_are_the_sdks_own(desk: Desk, model: str, make_key: Callable[[Desk], str], status: int, kind: str) -> None:
    config = types.GenerateContentConfig(max_output_tokens=1_000)
    google = client(desk, make_key(desk))
    with pytest.raises(errors.ClientError) as raised:
        google.models.generate_content(model=model, contents="Hi", config=config)
    assert (raised.value.code, raised.value.status) == (status, kind)


@pytest.mark.parametrize("form", ["events", "list"])
@pytest.mark.parametrize("model", [GEMINI, MODEL])
def test_a_stream_that_breaks_off_ends_with_an_error(desk: Desk, key: str, upstream: FakeUpstream, model: str, form: str) -> None:
    cut = events_of(WHOLE)[:3] if model == GEMINI else chunks()[:2]
    upstream.answers(Reply.sse(cut, done=False))
    response = post(desk, key, model, "streamGenerateContent", HELLO, **({"alt": "sse"} if form == "events" else {}))
    told = response.json() if form == "list" else data_of(response)
    assert len(told) > 1
    assert told[-1]["error"]["status"] == "UNAVAILABLE"
    assert only_record(desk, key).detail["status"] == "cut"


def test_the_sdk_raises_what_a_stream_breaks_off_with(google: genai.Client, upstream: FakeUpstream) -> None:
    upstream.answers(Reply.sse(chunks()[:2], done=False))
    with pytest.raises(errors.APIError) as raised:
        list(google.models.generate_content_stream(model=MODEL, contents="Hi"))
    assert raised.value.status == "UNAVAILABLE"


def test_a_fallback_from_google_is_translated(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    def answer(call: Call) -> Reply:
        if "generateContent" in call.path:
            return Reply.json(503, {"error": {"code": 503, "status": "UNAVAILABLE", "message": "Busy."}})
        return Reply.json(200, completion("Rain."))

    upstream.answers(answer, answer)
    body = {**HELLO, "models": [MODEL], "generationConfig": {"topK": 3}}
    response = post(desk, key, GEMINI, "generateContent", body)
    assert response.status_code == 200, response.text
    assert response.json()["candidates"][0]["content"]["parts"] == [{"text": "Rain."}]
    assert response.headers["x-haimaker-attempts"] == "2"
    assert response.headers["x-haimaker-dropped-params"] == "generationConfig.topK"
    assert "models" not in upstream.calls[-2].json


def test_a_budget_limits_what_google_may_write(desk: Desk, upstream: FakeUpstream) -> None:
    upstream.answers(Reply.json(200, WHOLE))
    response = post(desk, desk.key(max_budget=0.01), GEMINI, "generateContent", HELLO)
    limit = upstream.calls[-1].json["generationConfig"]["maxOutputTokens"]
    assert 256 <= limit < 4_096
    assert response.headers["x-haimaker-max-tokens"] == str(limit)


@pytest.mark.parametrize("path", ["/v1beta/models/{}", "/models/{}"])
def test_a_key_may_stand_in_the_query(desk: Desk, key: str, upstream: FakeUpstream, path: str) -> None:
    upstream.answers(Reply.json(200, WHOLE))
    url = desk.url + path.format("gemini%2Fgemini-2.5-flash:generateContent")
    assert httpx.post(url, json=HELLO, params={"key": key}, timeout=30).status_code == 200
    assert key not in upstream.calls[-1].path
    refused = httpx.post(f"{desk.url}/chat/completions", json={"model": MODEL, "messages": []}, params={"key": key}, timeout=30)
    assert refused.status_code == 401


@pytest.mark.parametrize("model", ["gemini/gemini-embedding-001", "openai/text-embedding-3-small"])
def test_embeddings(google: genai.Client, desk: Desk, key: str, upstream: FakeUpstream, model: str) -> None:
    native = model.startswith("gemini")
    found = [{"object": "embedding", "index": index, "embedding": [0.5, index]} for index in range(2)]
    answered = {"object": "list", "data": found, "model": "m", "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    upstream.answers(Reply.json(200, {"embeddings": [{"values": [0.5, 0]}, {"values": [0.5, 1]}]} if native else answered))
    config = types.EmbedContentConfig(output_dimensionality=2, task_type="RETRIEVAL_QUERY")
    made = google.models.embed_content(model=model, contents=["a", "b"], config=config)
    assert [each.values for each in made.embeddings or ()] == [[0.5, 0], [0.5, 1]]
    sent = upstream.calls[-1].json
    if native:
        assert [each["taskType"] for each in sent["requests"]] == ["RETRIEVAL_QUERY"] * 2
        assert {each["model"] for each in sent["requests"]} == {"models/gemini-embedding-001"}
    else:
        assert (sent["input"], sent["dimensions"]) == (["a", "b"], 2)
    assert only_record(desk, key).cost_nanousd > 0


def test_one_embedding(desk: Desk, key: str, upstream: FakeUpstream) -> None:
    answered = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "m"}
    upstream.answers(Reply.json(200, {**answered, "usage": {"prompt_tokens": 4, "total_tokens": 4}}))
    body = {"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "taskType": "RETRIEVAL_QUERY"}
    response = post(desk, key, "openai/text-embedding-3-small", "embedContent", body)
    assert response.json()["embedding"] == {"values": [0.5]}
    assert response.json()["usageMetadata"]["promptTokenCount"] == 4
    assert response.headers["x-haimaker-dropped-params"] == "taskType"
    assert upstream.calls[-1].json["input"] == ["a\nb"]


def test_tokens_are_counted_for_nothing(google: genai.Client, desk: Desk, key: str) -> None:
    assert google.models.count_tokens(model=MODEL, contents="How many are these?").total_tokens
    whole = {"generateContentRequest": {"model": "models/m", **ASKED}}
    assert post(desk, key, MODEL, "countTokens", whole).json()["totalTokens"] > 20
    assert desk.records(key) == []


@pytest.mark.parametrize("asked", [HELLO, {"generateContentRequest": {"model": "models/m", **HELLO}}], ids=["contents", "whole"])
@pytest.mark.parametrize(
    ("model", "place"),
    [(GEMINI, "/models/gemini-2.5-flash"), ("vertex_ai/gemini-2.5-flash", "/publishers/google/models/gemini-2.5-flash")],
)
def test_google_counts_its_own_models_tokens(
    desk: Desk, key: str, upstream: FakeUpstream, model: str, place: str, asked: JSON
) -> None:
    """An estimate takes the place of a count that fails."""
    upstream.answers(Reply.json(200, {"totalTokens": 7}), Reply.json(500, {}))
    found = [post(desk, key, model, "countTokens", asked).json()["totalTokens"] for _ in range(2)]
    call = upstream.calls[-1]
    assert (found[0], found[1] > 0, found[1] != 7, call.path.endswith(f"{place}:countTokens")) == (7, True, True, True)
    counted = call.json if "publishers" in place else call.json["generateContentRequest"]
    assert counted["contents"] == HELLO["contents"]
    assert desk.records(key) == []


def test_models_in_googles_shape(google: genai.Client, desk: Desk, key: str) -> None:
    pages = google.models.list(config=types.ListModelsConfig(page_size=100))
    listed = {model.name: model for model in pages}
    assert len(listed) > 500
    known = listed["models/gemini/gemini-2.5-flash"]
    assert known.supported_actions == ["generateContent", "countTokens"]
    assert google.models.get(model="openai/gpt-4o-mini").name == "models/openai/gpt-4o-mini"
    with pytest.raises(errors.ClientError) as raised:
        google.models.get(model="openai/nothing")
    assert raised.value.status == "NOT_FOUND"


def test_what_else_google_does_is_not_served(desk: Desk, key: str) -> None:
    response = post(desk, key, GEMINI, "batchGenerateContent", HELLO)
    assert (response.status_code, response.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_the_guide_works(tmp_path: Path) -> None:
    for served in serve(tmp_path):
        [command] = [text for text in GUIDE.written_in("sh") if "/v1beta/models" in text]
        assert shape(json.loads(run(command, served))) == shape(json.loads(GUIDE.after(command)))
        [program] = [text for text in GUIDE.written_in("python") if "genai" in text]
        program = program.replace(ADDRESS, served.address)
        printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60).stdout
        assert printed == "1 2 3"


@pytest.mark.parametrize("waits", ["before", "between", "then an error"])
def test_silence_is_filled_with_what_googles_clients_skip(
    desk: Desk, key: str, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, waits: str
) -> None:
    """Their SDK takes a comment for an answer; a list may have white space anywhere."""
    monkeypatch.setitem(relay.SILENCE_S, "events", 0.05)
    first, *others = chunks(usage=usage())
    reply = Reply.sse([first, Pause(0.3), *others]) if waits == "between" else Reply.sse([first, *others]).after(Pause(0.3))
    if waits == "then an error":
        reply = Reply.json(400, {"error": {"message": "No."}}).after(Pause(0.3))
    upstream.answers(reply, reply)
    google = client(desk, key)
    if waits == "then an error":
        with pytest.raises(errors.APIError) as raised:
            list(google.models.generate_content_stream(model="once", contents="Hi"))
        assert raised.value.status == "INVALID_ARGUMENT"
    else:
        told = google.models.generate_content_stream(model="once", contents="Hi")
        assert "".join(answer.text or "" for answer in told) == "Hello!"
    response = post(desk, key, "once", "streamGenerateContent", HELLO)
    assert "\n\n" in response.text
    assert ("error" in response.json()[-1]) == (waits == "then an error")
