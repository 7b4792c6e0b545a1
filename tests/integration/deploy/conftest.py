"""Emulators for the whole run, and a project for each test."""

import pytest

from tests.support import emulators
from tests.support.deployment import Deployment


@pytest.fixture(scope="session")
def storage(tmp_path_factory):
    with emulators.cloud_storage(tmp_path_factory.mktemp("storage")) as url:
        yield url


@pytest.fixture(scope="session")
def pubsub(tmp_path_factory):
    with emulators.pub_sub(tmp_path_factory.mktemp("pubsub")) as host:
        yield host


@pytest.fixture
def world(tmp_path, pubsub, storage):
    made = Deployment(tmp_path, pubsub, storage)
    yield made
    made.close()
