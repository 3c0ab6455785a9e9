"""What every command is given: where it prints, and the gateway or the stack that it is about."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..environment import command_environment
from .api_client import APIClient, check_address, key_of, local_url
from .operate import Operator
from .stack import DEFAULT_STACK, Stack
from .terminal import Terminal


@dataclass(frozen=True, slots=True)
class Context:
    arguments: argparse.Namespace
    terminal: Terminal
    environment: Mapping[str, str] = field(default_factory=command_environment)
    stacks: Callable[[str], Stack] = Stack.of
    operators: Callable[[Stack, Terminal], Operator] = Operator

    def stack(self) -> Stack:
        return self.stacks(self.arguments.stack or DEFAULT_STACK)

    def operator(self) -> Operator:
        return self.operators(self.stack(), self.terminal)

    def url(self) -> str:
        """The address of the gateway that --url or --stack names, else HAIMAKER_URL's, else the local one's.

        Raises OperatorError."""
        url = self.arguments.url
        if not url and self.arguments.stack:
            url = self.stack().output("BaseUrl")
        return check_address(url or self.environment.get("HAIMAKER_URL") or local_url(self.environment))

    def api_client(self) -> APIClient:
        url = self.url()
        return APIClient(url, key_of(url, self.arguments.key_file, self.environment))
