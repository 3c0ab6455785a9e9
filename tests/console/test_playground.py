"""The playground beyond one conversation: two models, images, tools, schemas, edits, and what stays in the tab."""

import json

from playwright.sync_api import Page, expect

from tests.console.conftest import Console
from tests.console.test_pages import say
from tests.contract.money_support import Desk
from tests.support.fake_upstream import Call
from tests.support.openai_wire import completion, plays_openai
from tests.support.reply import Reply

MODEL = "hosted_vllm/any"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
TOOLS = '[{"name": "weather", "parameters": {"type": "object"}}]'


def open_playground(console: Console) -> Page:
    page = console.sign_in(view="playground")
    page.get_by_label("Stream the answer").uncheck()
    return page


def test_two_models_answer_side_by_side_with_cost_and_time_and_stay_in_the_tab(console: Console, desk: Desk):
    page = console.sign_in(view="playground")
    desk.upstream.answers(plays_openai("From above"))
    page.get_by_label("Beside it").fill("openai/gpt-4o-mini")
    say(page, "Count to 3")
    for name, words in (("demo/count", "1 2 3"), ("openai/gpt-4o-mini", "From above")):
        answer = page.get_by_role("article").filter(has_text=f"Answer of {name}")
        expect(answer).to_contain_text(words)
        expect(answer).to_contain_text("$")
        expect(answer).to_contain_text("ms")
    say(page, "Count to 4")
    expect(page.get_by_role("article").filter(has_text="Answer of demo/count").last).to_contain_text("1 2 3 4")
    assert [message["content"] for message in desk.upstream.calls[-1].json["messages"]] == [
        "Count to 3",
        "From above",
        "Count to 4",
    ]
    page.reload()
    expect(page.get_by_role("article")).to_have_count(6)
    expect(page.get_by_label("Beside it")).to_have_value("openai/gpt-4o-mini")
    page.get_by_role("button", name="Start again").click()
    expect(page.get_by_role("article")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Say something.")).to_be_visible()


def test_one_of_two_that_fails_is_told_beside_the_other(console: Console):
    page = open_playground(console)
    page.get_by_label("Beside it").fill("nobody/none")
    say(page, "Count to 3")
    expect(page.get_by_role("article").filter(has_text="Answer of demo/count")).to_contain_text("1 2 3")
    expect(page.get_by_role("article").filter(has_text="Answer of nobody/none")).to_contain_text("nobody")
    console.forgives(404)


def test_a_message_is_edited_and_sent_again(console: Console, desk: Desk):
    page = open_playground(console)
    desk.upstream.answers(plays_openai("Once"))
    say(page, "First", MODEL)
    expect(page.get_by_role("article").last).to_contain_text("Once")
    say(page, "Second", MODEL)
    expect(page.get_by_role("article")).to_have_count(4)
    page.get_by_role("button", name="Edit").first.click()
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_label("Message")).to_have_value("First")
    say(page, "Changed", MODEL)
    expect(page.get_by_role("article").last).to_contain_text("Once")
    desk.upstream.answers(plays_openai("Twice"))
    page.get_by_role("button", name="Again", exact=True).click()
    expect(page.get_by_role("article").last).to_contain_text("Twice")
    assert desk.upstream.calls[-1].json["messages"] == [{"role": "user", "content": "Changed"}]


def test_images_tools_schema_and_effort_are_sent_and_calls_are_answered(console: Console, desk: Desk):
    calls = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}]

    def answer(call: Call) -> Reply:
        body = completion("")
        if call.json["messages"][-1]["role"] == "tool":
            return Reply.json(200, completion("It is sunny"))
        body["choices"][0] |= {"finish_reason": "tool_calls"}
        body["choices"][0]["message"] |= {"content": None, "tool_calls": calls}
        return Reply.json(200, body)

    desk.upstream.answers(answer)
    page = open_playground(console)
    page.get_by_text("Tools and schema").click()
    page.get_by_label("Tools").fill("{")
    say(page, "Weather?", MODEL)
    expect(page.get_by_role("alert").first).to_contain_text("Tools: ")
    page.get_by_label("Tools").fill(TOOLS)
    page.get_by_label("JSON schema").fill('{"type": "object"}')
    page.get_by_label("Effort").select_option("low")
    page.get_by_label("Images").set_input_files([{"name": "sky.png", "mimeType": "image/png", "buffer": PNG}])
    expect(page.get_by_role("button", name="Take sky.png away")).to_be_visible()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article").last).to_contain_text('weather({"city":"Rome"})')
    sent = desk.upstream.calls[-1].json
    [text, image] = sent["messages"][0]["content"]
    assert (text["text"], image["image_url"]["url"][:22]) == ("Weather?", "data:image/png;base64,")
    assert (sent["reasoning_effort"], sent["response_format"]["json_schema"]["schema"]) == ("low", {"type": "object"})
    page.get_by_label("Result of weather").fill("sunny")
    page.get_by_role("button", name="Give the results").click()
    expect(page.get_by_role("article").last).to_contain_text("It is sunny")
    said = desk.upstream.calls[-1].json["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "tool"]
    assert (said[1]["tool_calls"], said[2]["content"]) == (calls, "sunny")
    shown = page.get_by_label("The request as code").inner_text()
    assert json.loads(shown.partition("-d '")[2].rpartition("'")[0])["messages"][2]["role"] == "tool"
    assert len(shown) < 4_000
