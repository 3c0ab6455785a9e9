"""The credentials of a gateway in a process of its own: those of its environment, to which an administrator may add while it runs.

What is added goes into the file of variables that the gateway reads at its start, which its owner alone may read then.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from haimaker.credentials.access import ProviderConnection, connections_from_env
from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing.config import ProviderAccount
from haimaker.validation.settings import SettingsError

MAX_LENGTH = 8_192


@dataclass(slots=True)
class ProcessCredentials:
    environment: Mapping[str, str] = field(repr=False)
    """All variables, those of the file included."""
    access: Mapping[str, ProviderConnection] = field(repr=False)
    accounts: Mapping[str, ProviderAccount]
    file: Path | None = None
    """The file to which credentials are added; None where none may be."""
    from_file: frozenset[str] = frozenset()
    """Variables that stand in it; the process was given the others."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    def current(self) -> Mapping[str, ProviderConnection]:
        return self.access

    @property
    def takes(self) -> bool:
        return self.file is not None

    def source_of(self, variable: str) -> str | None:
        """Where a variable comes from, in a word; None if it is not set."""
        if variable not in self.environment:
            return None
        return self.file.name if self.file and variable in self.from_file else "environment"

    def put(self, variable: str, value: str) -> None:
        """Sets a variable here and in the file. Raises SettingsError."""
        with self._lock:
            if self.file is None:
                raise SettingsError("This gateway has no file for credentials.")
            if self.source_of(variable) == "environment":
                raise SettingsError(
                    f"{variable} is set where this gateway was started, which goes before the file: change it there."
                )
            if not (value and value.isascii() and value.isprintable() and "'" not in value and len(value) <= MAX_LENGTH):
                raise SettingsError("A credential has visible ASCII characters, and no quotation mark.")
            environment = {**self.environment, variable: value}
            access = connections_from_env(environment, self.accounts)
            write_variable(self.file, variable, value)
            self.environment, self.access = environment, access
            self.from_file |= {variable}


def write_variable(file: Path, variable: str, value: str) -> None:
    """Sets a variable in a file of `NAME=value` lines, and leaves the other lines as they are. Raises SettingsError."""
    from tempfile import mkstemp  # with shutil and random: not before an operator sets one

    file = file.resolve()
    try:
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        setting = re.compile(rf"\s*(?:export\s+)?{re.escape(variable)}\s*=")
        kept = [line for line in lines if not setting.match(line)]
        number, name = mkstemp(dir=file.parent, prefix=f"{file.name}.")  # which only its owner may read
        try:
            with os.fdopen(number, "w", encoding="utf-8") as new:
                new.write("".join(f"{line}\n" for line in (*kept, f"{variable}='{value}'")))
            os.replace(name, file)
        except OSError:  # a full disk: no part of what it holds is to stay in another file
            os.unlink(name)
            raise
    except UnicodeDecodeError:
        raise SettingsError(f"{file.name} can't be written: it is no text in UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{file.name} can't be written: {error.strerror}.") from None
