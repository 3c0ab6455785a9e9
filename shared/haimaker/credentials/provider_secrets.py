"""How the providers' keys are laid out in a deployed stack: two SSM parameters at most, each a JSON object of names and secrets.

One parameter of the tier that costs nothing holds 4 KB
(https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html). The command
line writes them, and `sources.py` where administrators may; it reads them, and where both have a name the second counts.
"""

import json
import re
from collections.abc import Mapping, Sequence

from haimaker.credentials.access import connections_from_env
from haimaker.http.json import read_or_none
from haimaker.providers.registry import ONLINE
from haimaker.validation.settings import SettingsError

Secrets = Mapping[str, str]

PARAMETER_BYTES = 4_096
SIGN_IN_SECRET = "HAIMAKER_SIGN_IN_SECRET"  # noqa: S105 (a name)
"""The variable of a container for what a stack has in a parameter that one function alone may read."""


class SecretsError(ValueError):
    """What can't be stored, and why; the message holds no secret."""


def parameters(first: str) -> tuple[str, str]:
    return first, f"{first}-2"


def sign_in_parameter(first: str) -> str:
    """The parameter beside the providers' with the gateway's secret at the identity provider of its people."""
    return f"{first.rpartition('/')[0]}/sign-in"


def variable_of(provider: str) -> str:
    """The name of the variable that holds a provider's key. Raises SecretsError."""
    if provider not in ONLINE:
        raise SecretsError(f"There is no provider {provider!r}; there are {', '.join(sorted(ONLINE))}.")
    return f"{provider.upper()}_API_KEY"


def validate_name(name: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise SecretsError(f"{name!r} is no name of a variable, such as OPENAI_API_KEY.")
    return name


def validate_secret(text: str) -> str:
    """A secret as it was typed or piped: the first line, or a JSON document as one line, without what surrounds it."""
    document = read_or_none(text.strip())
    secret = json.dumps(document) if isinstance(document, dict) else text.strip().partition("\n")[0].strip()
    if not secret:
        raise SecretsError("Nothing was entered; nothing is changed.")
    if not (secret.isascii() and secret.isprintable()):
        raise SecretsError("That holds characters that an HTTP header can't carry; copy it again. Nothing is changed.")
    return secret


def validate_documents(documents: list[Secrets]) -> list[Secrets]:
    """The documents, if the gateway can read them: what one provider can't use would turn all of them off. Raises SecretsError."""
    try:
        connections_from_env(merge(documents))
    except SettingsError as error:
        raise SecretsError(f"{error} Nothing is changed.") from error
    return documents


def decode(name: str, text: str) -> Secrets:
    found = read_or_none(text)
    if not isinstance(found, dict) or not all(isinstance(secret, str) for secret in found.values()):
        raise SecretsError(f"The parameter {name} holds something else than a JSON object of texts; it is left as it is.")
    return found


def encode(secrets: Secrets) -> str:
    return json.dumps(secrets, sort_keys=True)


def with_secret(documents: Sequence[Secrets], name: str, secret: str) -> list[Secrets]:
    """Both documents with the secret in one of them: where it was, if it fits there. Raises SecretsError if it fits nowhere."""
    rest = without_secret(documents, name)
    order = sorted(range(len(rest)), key=lambda number: name not in documents[number])
    for number in order:
        candidate = {**rest[number], name: secret}
        if len(encode(candidate).encode()) <= PARAMETER_BYTES:
            return [candidate if place == number else others for place, others in enumerate(rest)]
    raise SecretsError(f"Both parameters are full: {PARAMETER_BYTES} bytes each. Remove a secret first. Nothing is changed.")


def without_secret(documents: Sequence[Secrets], name: str) -> list[Secrets]:
    return [{other: secret for other, secret in document.items() if other != name} for document in documents]


def merge(documents: Sequence[Secrets]) -> dict[str, str]:
    """The documents as the gateway reads them."""
    return {name: secret for document in documents for name, secret in document.items()}
