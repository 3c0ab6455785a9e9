"""Chunks folded into an answer by the official SDK, as its users do it."""

from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from haimaker.http.values import JSON


def fold(chunks: list[JSON]) -> JSON:
    """The answer without fields that say nothing, and without positions, which only chunks have."""
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    folded = state.current_completion_snapshot.model_dump(
        exclude_none=True, exclude={"choices": {"__all__": {"message": {"parsed"}}}}
    )
    for choice in folded["choices"]:
        choice["message"] = {name: _without_positions(value) for name, value in choice["message"].items() if value}
    return folded


def _without_positions(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_positions(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _without_positions(inner) for name, inner in value.items() if name != "index"}
    return value
