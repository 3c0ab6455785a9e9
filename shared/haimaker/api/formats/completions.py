"""OpenAI's legacy completions: chat's format around other choices. Who only chats is made to complete in `adapters/over_chat.py`.

https://platform.openai.com/docs/api-reference/completions
"""

from haimaker.api.formats import openai_chat
from haimaker.lean_dataclasses import replace
from haimaker.operations.completions import parse_completion

FORMAT = replace(openai_chat.FORMAT, parse=lambda request: parse_completion(request.body, request.path.get("model")))
