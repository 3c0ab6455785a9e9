"""The page's pure modules, each case an expression that the browser evaluates with the modules at hand."""

import json
import re

import pytest
from playwright.sync_api import Page

from haimaker.api.console import FOLDER
from tests.console.conftest import Console
from tests.contract.money_support import Desk
from tests.support.openai_wire import plays_openai

EVENTS = 'data: {\\"a\\":1}\\n\\n: silence\\n\\ndata: é\\r\\ndata: 2\\r\\n\\r\\nevent: x\\ndata:[DONE]\\n\\ndata: cut'
READ = f"""async (size) => {{
  const bytes = new TextEncoder().encode("{EVENTS}");
  const pieces = []; for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
  const body = new ReadableStream({{ start(stream) {{ pieces.forEach((piece) => stream.enqueue(piece)); stream.close(); }} }});
  const found = []; for await (const data of sse.events(body)) found.push(data);
  return found;
}}"""
ROWS = """[
  {date: "2026-11-21", model: "a/x", requests: 1, errors: 0, input_tokens: 5, output_tokens: 1, spend: 0.5},
  {date: "2026-11-22", model: "a/x", requests: 2, errors: 1, input_tokens: 5, output_tokens: 1, spend: 0.25},
  {date: "2026-11-22", model: "b/y", requests: 9, errors: 0, input_tokens: 5, output_tokens: 1, spend: 3},
  {date: "2026-11-22", model: "c/z", requests: 1, errors: 0, input_tokens: 5, output_tokens: 1, spend: 0.125},
  {date: "2026-11-21", model: "d/free", requests: 1, errors: 0, input_tokens: 5, output_tokens: 1, spend: 0},
]"""
UNNAMED = '{date: "2026-11-21", model: null, requests: 1, errors: 0, input_tokens: 5, output_tokens: 1, spend: 7}'
"""Of all those that have no rows of their own."""
DATES = '["2026-11-21", "2026-11-22"]'
ATTEMPTS = """[
  {started_at: "2", attempts: [
    {target: "a/x", status: 429, code: "slow", duration_ms: 5}, {target: "b/y", status: 200, duration_ms: 7}]},
  {started_at: "1", attempts: [
    {target: "a/z", status: null, code: "dead", duration_ms: 5}, {target: "a/x", status: 200, duration_ms: 9}]},
]"""


CHAT = """{model: "m", messages: [{role: "system", content: "s"}, {role: "user", content: "u"}], max_tokens: 5, stream: true,
  stream_options: {}}"""


PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
WEATHER = {
    "name": "weather",
    "description": "Tells it",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
FULL: dict = {
    "model": "hosted_vllm/any",
    "messages": [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": [{"type": "text", "text": "Where?"}, {"type": "image_url", "image_url": {"url": PNG}}]},
        {"role": "assistant", "content": "Looking", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ],
    "tools": [{"type": "function", "function": WEATHER}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
    "max_tokens": 50,
}  # fmt: skip
"""A chat with all that the playground can ask for, but for an effort."""


def form(**given: str) -> str:
    """What a form's fields hold."""
    return f"new Map(Object.entries({json.dumps(given)}))"


CASES = [
    ("[0, 1.5, 12345, 0.42, 0.0000045, 1e-9, 0.1 + 0.2, null].map(format.usd)",
     ["$0.00", "$1.50", "$12,345", "$0.42", "$0.0000045", "$0.000000001", "$0.30", "–"]),
    ("[0, 0.05, 2, 2500].map(format.roundUsd)", ["$0", "$0.05", "$2", "$2.5K"]),
    ("[1.5e-7, 3e-6, 0, null].map(format.perMillion)", ["$0.15", "$3.00", "$0.00", "–"]),
    ("[[0, 0], [1, 3], [1, 2000], [1, 30]].map(([part, all]) => format.percent(part, all))", ["0%", "33%", "<0.1%", "3.3%"]),
    ("[5, 1500, 61000, null].map(format.milliseconds)", ["5 ms", "1.5 s", "61 s", "–"]),
    ("format.day('2026-11-22')", "22 Nov"),
    ("[0, 0.37, 7, 1000].map((most) => series.scale(most).top)", [1, 0.4, 8, 1000]),
    ("series.days('2026-02-27', '2026-03-01')", ["2026-02-27", "2026-02-28", "2026-03-01"]),
    ("series.daysAgo(1, Date.parse('2026-03-01T00:00:01Z'))", "2026-02-28"),
    (f"series.series({ROWS}, 'model', 'spend', {DATES}).map((group) => [group.label, group.values])",
     [["b/y", [0, 3]], ["a/x", [0.5, 0.25]], ["c/z", [0, 0.125]]]),
    (f"series.series({ROWS}, 'model', 'requests', {DATES}, 1).map((group) => [group.id, group.label, group.values])",
     [["b/y", "b/y", [0, 9]], [None, "3 others", [2, 3]]]),
    (f"series.series([...{ROWS}, {UNNAMED}], 'model', 'spend', {DATES}, 2, 40).map((group) => [group.label, group.values])",
     [["b/y", [0, 3]], ["a/x", [0.5, 0.25]], ["41 others", [7, 0.125]]]),
    (f"series.series([...{ROWS}, {UNNAMED}], 'model', 'spend', {DATES}, 9, 40).at(-1).label", "40 others"),
    (f"series.totals({ROWS}, 'model').map((sum) => [sum.id, sum.requests, sum.errors, sum.spend])",
     [["b/y", 9, 0, 3], ["a/x", 3, 1, 0.75], ["c/z", 1, 0, 0.125], ["d/free", 1, 0, 0]]),
    ("series.named({key: '0123456789abcdef', key_alias: null}, 'key')", {"id": "0123456789abcdef", "label": "0123456789…"}),
    (f"attempts.byProvider({ATTEMPTS})",
     [{"provider": "a", "attempts": 3, "failed": 2, "last": {"status": 429, "code": "slow", "at": "2"}, "median_ms": 9},
      {"provider": "b", "attempts": 1, "failed": 0, "last": None, "median_ms": 7}]),
    (f"limits.changes(limits.LIMITS, {form(max_budget='', rpm_limit='7', budget_duration='30d')}, "
     "{max_budget: 5, rpm_limit: null, budget_duration: '30d'})", {"max_budget": None, "rpm_limit": 7}),
    ("[[0, 49], [0, 50], [0, 99], [0, 100], [7, 7]].map(([soft_budget, spend]) => account_parts.alerts("
     "{spend, max_budget: 100, soft_budget: soft_budget || null}).map(([, text]) => text))",
     [[], ["50 % is spent"], ["80 % is spent"], ["100 % is spent"], ["soft budget reached"]]),
    (f"limits.changes(limits.LIMITS, {form(model_max_budget='a/b = 5 / 1mo, c=.5', model_rpm_limit='a = 6', model_tpm_limit='')}, "
     "{model_max_budget: {c: {budget_limit: 0.5, time_period: null}}, model_rpm_limit: {a: 6}, model_tpm_limit: {c: 9}})",
     {"model_max_budget": {"a/b": {"budget_limit": 5, "time_period": "1mo"}, "c": {"budget_limit": 0.5}}, "model_tpm_limit": None}),
    (f"limits.changes(limits.MODELS, {form(models=' a/*, ,b ')}, {{models: []}})", {"models": ["a/*", "b"]}),
    (f"limits.changes(limits.MODELS, {form(models='')}, {{models: ['a']}})", {"models": []}),
    (f"limits.changes(limits.LIMITS, {form(soft_budget='0')}, {{}})", {"soft_budget": 0}),
    ("code_samples.sample('chat', 'python', {model: 'm', stop: null, stream: true, n: 1}, 'u').match(/    \\w+=.*,/g)",
     ['    model="m",', "    stop=None,", "    stream=True,", "    n=1,"]),
    (f"code_samples.translate.responses({CHAT})",
     {"model": "m", "instructions": "s", "input": [{"role": "user", "content": "u"}], "max_output_tokens": 5, "stream": True}),
    (f"code_samples.translate.messages({CHAT})",
     {"model": "m", "system": "s", "messages": [{"role": "user", "content": "u"}], "max_tokens": 5, "stream": True}),
    (f"code_samples.translate.gemini({CHAT})",
     {"model": "m", "contents": [{"role": "user", "parts": [{"text": "u"}]}], "systemInstruction": {"parts": [{"text": "s"}]},
      "generationConfig": {"maxOutputTokens": 5}}),
    ("[{reasoning_effort: 'low'}].map((asked) => ({model: 'm', messages: [], ...asked})).map((chat) =>"
     " [code_samples.translate.responses(chat).reasoning, code_samples.translate.messages(chat).output_config,"
     " code_samples.translate.gemini(chat).generationConfig])",
     [[{"effort": "low"}, {"effort": "low"}, {"thinkingConfig": {"thinkingLevel": "low"}}]]),
    ("conversation.parameters({temperature: '0.5', max_tokens: '', effort: 'low', schema: '', stream: false,"
     " tools: '[{\"name\": \"f\"}]'})",
     {"temperature": 0.5, "reasoning_effort": "low", "tools": [{"type": "function", "function": {"name": "f"}}]}),
    ("(() => { const answer = {content: '', thought: '', calls: [], about: {}};"
     " const piece = (call) => ({choices: [{delta: {tool_calls: [call]}}]});"
     " conversation.take(answer, piece({index: 0, id: 'c', function: {name: 'f', arguments: ''}}), 'delta');"
     " conversation.take(answer, piece({index: 0, function: {arguments: '{\"a\":'}}), 'delta');"
     " conversation.take(answer, piece({index: 0, function: {arguments: '1}'}}), 'delta'); return answer.calls; })()",
     [{"id": "c", "name": "f", "args": '{"a":1}'}]),
]  # fmt: skip


@pytest.fixture
def evaluate(console: Console):
    """Evaluates an expression in which each module goes by its file's name."""
    page: Page = console.page
    page.goto(console.address)
    [folder] = re.findall(r'src="(console/\w+/)app.js"', page.content())
    names = {path.stem for path in FOLDER.glob("*.js")} - {"app", "export"}  # one starts the page, one is a word of the language
    imports = "".join(f"const {name} = await import(new URL('{folder}{name}.js', location.href));" for name in names)
    return lambda expression: page.evaluate(f"async () => {{ {imports} return {expression}; }}")


def test_pure_modules(evaluate):
    assert evaluate(f"[{', '.join(expression for expression, _ in CASES)}]") == [expected for _, expected in CASES]


def test_any_split_of_the_bytes_gives_the_same_events(evaluate):
    found = evaluate(f"await Promise.all([1, 2, 3, 7, 1000].map({READ}))")
    assert found == [['{"a":1}', "é\n2", "[DONE]"]] * 5


@pytest.mark.parametrize(("format", "path"), [("responses", "/responses"), ("messages", "/messages"), ("gemini", "")])
def test_a_translation_is_the_same_request(evaluate, desk: Desk, format: str, path: str):
    """As the gateway reads it: what the provider is sent is what it is sent of the chat itself."""
    desk.upstream.answers(plays_openai('{"n": 1}'))
    sent = []
    body = evaluate(f"code_samples.translate.{format}({json.dumps(FULL)})")
    for where, asked in (("/chat/completions", FULL), (path or f"/v1beta/models/{FULL['model']}:generateContent", body)):
        answer = desk.ask("POST", where if where[1] != "v" else desk.url.removesuffix("/v1") + where, asked)
        assert answer.status_code == 200, answer.text
        sent.append(desk.upstream.calls[-1].json)
    chat, translated = ({name: found[name] for name in ("messages", "tools", "response_format")} for found in sent)
    for found in (chat, translated):
        found["response_format"] = found["response_format"]["json_schema"]["schema"]
        found["tools"] = [{name: tool["function"].get(name) for name in WEATHER} for tool in found["tools"]]
        for message in found["messages"]:
            for call in message.get("tool_calls", ()):
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
                if format == "gemini":  # whose calls have no ids
                    call["id"] = "call_1"
            if message["role"] == "tool" and format == "gemini":
                message |= {"tool_call_id": "call_1", "content": "sunny" if "sunny" in message["content"] else message["content"]}
            if message["role"] == "system" and isinstance(message["content"], list):
                message["content"] = message["content"][0]["text"]
    assert translated == chat
