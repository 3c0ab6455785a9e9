"""One server for all tests that only talk to it."""

import pytest

from tests.unit.local.door import Gateway, connect, serving


@pytest.fixture(scope="module")
def shared_server():
    gateway = Gateway()
    with serving(gateway) as server:
        yield gateway, server


@pytest.fixture
def gateway(shared_server):
    shared_server[0].answer = Gateway.echo
    return shared_server[0]


@pytest.fixture
def client(shared_server, gateway):
    with connect(shared_server[1]) as connection:
        yield connection
