"""Codestral: Mistral's chats and completions at an address and with a key of its own, without its batches.

https://docs.mistral.ai/capabilities/code_generation/
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import mistral

PROVIDER = replace(
    mistral.PROVIDER.named("codestral"),
    endpoint=replace(mistral.PROVIDER.endpoint, base_url="https://codestral.mistral.ai/v1"),
    batches=None,
)
