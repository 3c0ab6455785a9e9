"""What a check found: how it is, and, where something is wrong or missing, how to put it right."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from haimaker.credentials.provider_secrets import SecretsError
from haimaker.validation.settings import SettingsError

from ..context import Context
from ..stack import OperatorError

OK, MISSING, WRONG = "ok", "missing", "wrong"


class Finding(NamedTuple):
    level: str
    subject: str
    message: str
    fix: str = ""


def ok(subject: str, message: str) -> Finding:
    return Finding(OK, subject, message)


def missing(subject: str, message: str, fix: str) -> Finding:
    """A finding where nothing is broken, but there is something to do."""
    return Finding(MISSING, subject, message, fix)


def wrong(subject: str, message: str, fix: str) -> Finding:
    return Finding(WRONG, subject, message, fix)


class Check(NamedTuple):
    """A check by the name of its subject; what it can't find out is a finding too."""

    subject: str
    look: Callable[[Context], Iterator[Finding]]

    def findings(self, context: Context) -> Iterator[Finding]:
        try:
            yield from self.look(context)
        except (OperatorError, SecretsError, SettingsError) as error:
            yield wrong(self.subject, str(error), "")
