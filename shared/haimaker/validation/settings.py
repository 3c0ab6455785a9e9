"""What is wrong with a setting, said by its name. Pure."""

from urllib.parse import urlsplit


class SettingsError(ValueError):
    """A setting is wrong; the message names the variable and what it should be."""


def validate_url(name: str, text: str, example: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"{name} must be an http or https URL such as {example}.")
    return text.rstrip("/")
