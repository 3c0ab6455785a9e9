"""The environment as the command line and the local gateway read it: the process's variables, over those of a file `.env`.

The file's lines are those that Docker Compose takes (https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax),
but that nothing in a value stands for another variable.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from haimaker.providers.provider import Provider
from haimaker.providers.registry import INDEX, all_providers
from haimaker.validation.settings import SettingsError

FILE_VARIABLE = "HAIMAKER_ENV_FILE"
"""Names another file than `.env` in the folder where the program starts."""
NOT_FROM_FILE = ("HAIMAKER_URL", "HOST")
"""Where the command line sends a key: a folder that somebody works in must not choose the address."""
HAIMAKER_VARIABLES = (
    "HAIMAKER_ACCOUNTS_TABLE", "HAIMAKER_ADMIN_KEY", "HAIMAKER_ALERT_WEBHOOK", "HAIMAKER_CONFIG", "HAIMAKER_CONTENT_BUCKET",
    "HAIMAKER_CONTENT_DAYS",
    "HAIMAKER_ENV_FILE", "HAIMAKER_FILES_BUCKET", "HAIMAKER_HOME", "HAIMAKER_KEY", "HAIMAKER_LOG_CONTENT",
    "HAIMAKER_METRICS_TOKEN", "HAIMAKER_MISTAKES_PER_MINUTE",
    "HAIMAKER_PUBLIC_MODELS", "HAIMAKER_RECORDS_BY_DAY", "HAIMAKER_RECORDS_TABLE", "HAIMAKER_SIGNED_PROVIDERS",
    "HAIMAKER_SIGN_IN_SECRET",
    "HAIMAKER_TRUSTED_PROXIES", "HAIMAKER_URL", "HAIMAKER_USER_BUDGET", "HAIMAKER_USER_BUDGET_DURATION",
)  # fmt: skip
"""All that the local gateway and the command line read of this form."""
SECRET_ENDING = re.compile(r"_(API_?)?KEY$")
ALIKE = 0.9
NOT_THEIRS = ("AWS_", "HAIMAKER_")

_LINE = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_QUOTED = re.compile(r"""(?:'(?P<plain>[^']*)'|"(?P<escaped>(?:[^"\\]|\\.)*)")[ \t]*(?:#.*)?""")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_environment(process: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the process was given, and what the file adds to it. Raises SettingsError."""
    path = file_of_variables(process)
    if path.is_dir():
        raise SettingsError(f"{path} is a folder, and has to be a file of NAME=value lines.")
    if not path.is_file():
        if process.get(FILE_VARIABLE, "").strip() and not path.exists():
            raise SettingsError(f"{FILE_VARIABLE} names {path}, which does not exist.")
        return dict(process)
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} can't be read: it is no text in UTF-8.") from None
    return {**parse(text, str(path)), **process}


def file_of_variables(process: Mapping[str, str] = os.environ) -> Path:
    """The file that adds to them, which need not exist."""
    return Path(process.get(FILE_VARIABLE, "").strip() or ".env").expanduser()


def command_environment(process: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The same for commands that send a key to a gateway: its address never comes from the file. Raises SettingsError."""
    found = read_environment(process)
    return {name: value for name, value in found.items() if name not in NOT_FROM_FILE or name in process}


def parse(text: str, file: str) -> dict[str, str]:
    """The variables that a file sets. Raises SettingsError, which names the line and never shows a value."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        value = _value(match[2]) if match else None
        if match is None or value is None:
            reason = "is not NAME=value" if match is None else f"has a value of {match[1]} whose quotation mark is not closed"
            raise SettingsError(f"{file}, line {number} {reason}.")
        found[match[1]] = value
    return found


def _value(written: str) -> str | None:
    """None where a quotation mark is not closed."""
    if written[:1] in ("'", '"'):
        quoted = _QUOTED.fullmatch(written)
        if quoted is None:
            return None
        if quoted["plain"] is not None:
            return quoted["plain"]
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted["escaped"])
    return re.sub(r"(^|[ \t]+)#.*", "", written).strip()


OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)")
"""Of a service, which may be called haimaker. https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables"""


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that nothing reads, but whose form or letters are almost those of one that is read, with that one; with an empty
    name where nothing comes near."""
    known = {_stem(name): name for _, variables in INDEX.values() for name in variables}
    found = {}
    for name, value in environment.items():
        if not value or OF_KUBERNETES.search(name) or value.startswith(("tcp://", "udp://")):
            continue
        if name.startswith("HAIMAKER_") and name not in HAIMAKER_VARIABLES:
            found[name] = next(_nearest(name, HAIMAKER_VARIABLES), "")
        elif SECRET_ENDING.search(name) and name not in known.values() and not name.startswith(NOT_THEIRS):
            for meant in (known[stem] for stem in _nearest(_stem(name), known)):
                if meant not in environment:
                    found[name] = meant
    return found


def _nearest(name: str, known: Iterable[str]) -> Iterator[str]:
    from difflib import get_close_matches  # most environments have nothing that looks wrong

    return iter(get_close_matches(name, list(known), 1, ALIKE))


def key_variables() -> dict[str, Provider]:
    """The variables that hold a provider's key, each with its provider."""
    rows = [row for row in all_providers() if not row.offline]
    own = {f"{row.name.upper()}_API_KEY": row for row in rows}
    return {variable: row for row in rows for variable in row.auth.key_variables} | own


def _stem(name: str) -> str:
    return SECRET_ENDING.sub("", name).replace("_", "")
