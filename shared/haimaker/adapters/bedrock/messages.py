"""Messages of OpenAI as Converse's system blocks and turns: turns alternate, begin with the user, and are never empty.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from collections.abc import Mapping
from typing import Any

from haimaker.adapters.bedrock import tool_ids
from haimaker.adapters.bedrock.blocks import Blocks
from haimaker.adapters.bedrock.families import Family
from haimaker.adapters.repairs import arguments_object
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

CONTINUE = "Continue."
"""Said for the user where Converse wants a turn of theirs that the client does not have."""
ATTACHED = "The document is attached."
"""A document alone is refused: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html"""
NO_OUTPUT = "No output."
SYSTEM = ("system", "developer")


@dataclass(slots=True)
class Conversation:
    """Grows message by message."""

    family: Family
    blocks: Blocks
    takes_system: bool
    system: list[JSON] = field(default_factory=list)
    turns: list[JSON] = field(default_factory=list)

    def add(self, message: JSON, param: str) -> None:
        role = message.get("role")
        if role in SYSTEM:
            self._add_system(message, param)
        elif role == "user":
            self._turn("user", self._content(message, param), stands=True)
        elif role == "assistant":
            self._turn("assistant", self._assistant(message, param))
        elif role == "tool":
            self._turn("user", self._result(message, param))
        else:
            raise invalid_parameter(f"{param}.role", "it must be system, developer, user, assistant or tool")

    def end(self, *, prefills: bool) -> list[JSON]:
        """The turns, with those that Converse misses at the beginning and at the end."""
        if not self.turns or self.turns[0]["role"] != "user":
            self.turns.insert(0, {"role": "user", "content": [{"text": CONTINUE}]})
        for turn in self.turns:
            turn["content"] = turn["content"] or [{"text": CONTINUE}]
        last = self.turns[-1]
        if last["role"] == "assistant" and (not prefills or not _is_text(last["content"][-1])):
            self.turns.append({"role": "user", "content": [{"text": CONTINUE}]})
        elif last["role"] == "assistant":
            last["content"][-1] = {"text": last["content"][-1]["text"].rstrip()}
        return [{**turn, "content": _order_results(turn)} for turn in self.turns]

    def _add_system(self, message: JSON, param: str) -> None:
        """What leads is the system's; a later one stays in its place, as moving it would change the prompt that is cached."""
        content = self._content(message, param)
        if self.turns or not self.takes_system:
            self._turn("user", content)
        elif any(not block.keys() & {"text", "cachePoint", "guardContent"} for block in content):
            raise invalid_parameter(f"{param}.content", "a system message can only have text")
        else:
            self.system += content

    def _turn(self, role: str, content: list[JSON], *, stands: bool = False) -> None:
        """Adds to the turn of a role, or begins it; `stands` if it is one though it says nothing."""
        if not content and not stands:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += content
        else:
            self.turns.append({"role": role, "content": content})

    def _content(self, message: JSON, param: str) -> list[JSON]:
        content = self.blocks.of(message.get("content"), f"{param}.content")
        return content + (self.blocks.cache_point(message) if content else [])

    def _assistant(self, message: JSON, param: str) -> list[JSON]:
        """Reasoning, text, calls: the order in which the model had them."""
        content, thoughts = _without_thoughts(message.get("content"))
        content = self._content({**message, "content": content}, param)
        calls, carried = self._calls(message, param)
        if not carried and self.family.name in ("claude", "untold"):
            shown = message.get("thinking_blocks")
            carried = _thoughts([*thoughts, *(shown if isinstance(shown, list) else [])])
        return [*carried, *content, *calls]

    def _calls(self, message: JSON, param: str) -> tuple[list[JSON], list[JSON]]:
        """The calls, each with the reasoning that came between it and the one before, and what came before them all."""
        calls: list[JSON] = []
        first: list[JSON] = []
        seen: set[str] = set()
        for index, call in enumerate(self._calls_of(message, param)):
            block, carried = self._call(call, f"{param}.tool_calls[{index}]")
            if block["toolUse"]["toolUseId"] in seen:
                continue
            seen.add(block["toolUse"]["toolUseId"])
            if calls:
                calls += carried
            else:
                first = carried
            calls.append(block)
        return calls, first

    def _calls_of(self, message: JSON, param: str) -> list[Any]:
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise invalid_parameter(f"{param}.tool_calls", "it must be a list")
        return calls

    def _call(self, call: Any, param: str) -> tuple[JSON, list[JSON]]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            raise invalid_parameter(f"{param}.function.name", "it must be a string")
        if not isinstance(call.get("id"), str) or not call["id"]:
            raise invalid_parameter(f"{param}.id", "it must be a string")
        plain, carried = tool_ids.without_blocks(call["id"], self.family.name)
        use = {
            "toolUseId": tool_ids.to_tool_id(plain, short=self.family.short_tool_ids),
            "name": tool_ids.to_name(function["name"]),
            "input": arguments_object(function.get("arguments")),
        }
        return {"toolUse": use}, carried

    def _result(self, message: JSON, param: str) -> list[JSON]:
        called = message.get("tool_call_id")
        if not isinstance(called, str) or not called:
            raise invalid_parameter(f"{param}.tool_call_id", "it must be the id of a tool call")
        plain, _ = tool_ids.without_blocks(called, self.family.name)
        content = self.blocks.of(message.get("content"), f"{param}.content")
        points = [block for block in content if "cachePoint" in block] + self.blocks.cache_point(message)
        blocks = [block for block in content if "cachePoint" not in block] or [{"text": NO_OUTPUT}]
        failed = {"status": "error"} if message.get("is_error") is True else {}
        use_id = tool_ids.to_tool_id(plain, short=self.family.short_tool_ids)
        return [{"toolResult": {"toolUseId": use_id, "content": blocks, **failed}}, *points[:1]]


def _order_results(turn: Mapping[str, Any]) -> list[JSON]:
    """Results of tools first and each once, with the cache points behind them; a document not alone."""
    content: list[JSON] = turn["content"]
    if turn["role"] != "user":
        return content
    results: dict[str, list[JSON]] = {}
    rest: list[JSON] = []
    group = rest
    for block in content:
        if "toolResult" in block:
            group = results.setdefault(block["toolResult"]["toolUseId"], [])
            group[:] = [block]
        elif "cachePoint" in block:
            group.append(block)
        else:
            group = rest
            rest.append(block)
    if any("document" in block for block in rest) and not any(_is_text(block) for block in rest):
        rest.append({"text": ATTACHED})
    return [block for group in results.values() for block in group] + rest


def _is_text(block: JSON) -> bool:
    return "text" in block


def _without_thoughts(content: Any) -> tuple[Any, list[Any]]:
    """The content without the parts that are reasoning, which some clients keep there, and these parts."""
    if not isinstance(content, list):
        return content, []
    thoughts = [part for part in content if isinstance(part, dict) and part.get("type") in ("thinking", "redacted_thinking")]
    return [part for part in content if part not in thoughts] if thoughts else content, thoughts


def _thoughts(shown: list[Any]) -> list[JSON]:
    """Blocks of reasoning as we show them, as Converse has them; only those that are signed are wanted."""
    blocks: list[JSON] = []
    for block in shown:
        if isinstance(block, dict) and block.get("type") == "redacted_thinking":
            blocks.append({"reasoningContent": {"redactedContent": block.get("data")}})
        elif isinstance(block, dict):
            text = {"text": block.get("thinking"), "signature": block.get("signature")}
            blocks.append({"reasoningContent": {"reasoningText": text}})
    return tool_ids.keep_signed(blocks)
