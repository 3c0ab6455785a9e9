"""`haimaker chat MODEL`: a conversation on the terminal, through the gateway, with what each answer cost."""

import sys
from collections.abc import Iterator
from typing import Any

from .api_client import JSON, APIClient
from .context import Context
from .stack import OperatorError
from .terminal import Terminal, printable, usd

PROMPT = "> "


def add(commands: Any) -> None:
    parser = commands.add_parser("chat", help="talk to a model", description=__doc__)
    parser.add_argument("model", help="as a client would name it, such as demo/echo")
    parser.add_argument("message", nargs="*", help="what to say; without it, each line that is typed, or all that is piped in")
    parser.add_argument("--system", metavar="TEXT", help="instructions that come before the conversation")
    parser.add_argument("--max-tokens", type=int, metavar="COUNT", help="the longest answer")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    """One answer where the message is given or piped in, else a conversation until the end of input. Raises OperatorError."""
    arguments, terminal, client = context.arguments, context.terminal, context.api_client()
    messages: list[JSON] = [{"role": "system", "content": arguments.system}] if arguments.system else []
    if arguments.message or not sys.stdin.isatty():
        said = " ".join(arguments.message) or sys.stdin.read().strip()
        if not said:
            raise OperatorError("There is nothing to say: haimaker chat MODEL MESSAGE, or pipe a message in.")
        _exchange(terminal, client, _body(arguments, [*messages, {"role": "user", "content": said}]))
        return 0
    terminal.note(f"{arguments.model} at {client.url}. Ctrl-C stops an answer, Ctrl-D leaves.")
    for said in _lines(terminal):
        messages.append({"role": "user", "content": said})
        try:
            answer = _exchange(terminal, client, _body(arguments, messages))
        except OperatorError as error:
            terminal.note(f"haimaker: {error}")
            messages.pop()
            continue
        messages.append({"role": "assistant", "content": answer})
    return 0


def _lines(terminal: Terminal) -> Iterator[str]:
    while True:
        try:
            said = terminal.ask(PROMPT).strip()
        except EOFError:
            terminal.note("")
            return
        if said:
            yield said


def _body(arguments: Any, messages: list[JSON]) -> JSON:
    limit = {"max_tokens": arguments.max_tokens} if arguments.max_tokens is not None else {}
    return {"model": arguments.model, "messages": messages, **limit}


def _exchange(terminal: Terminal, client: APIClient, body: JSON) -> str:
    """Asks, and prints the answer as it comes; the whole of it is returned. Raises OperatorError."""
    if terminal.as_json:
        answer = client.post("/chat/completions", body)
        terminal.show(answer, (), ())
        return str(answer["choices"][0]["message"]["content"] or "")
    parts: list[str] = []
    usage: JSON = {}
    try:
        for chunk in client.stream("/chat/completions", {**body, "stream": True, "stream_options": {"include_usage": True}}):
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices", ()):
                text = choice.get("delta", {}).get("content") or ""
                parts.append(text)
                print("".join(c if c in "\n\t" else printable(c) for c in text), end="", flush=True)
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
    print(flush=True)
    if usage and sys.stderr.isatty():
        terminal.note(
            f"{usage['prompt_tokens']} + {usage['completion_tokens']} tokens, {usd(usage.get('cost')) or 'no known price'}"
        )
    return "".join(parts)
