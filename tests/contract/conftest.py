"""Emulators for the whole run, each started when the first test asks for it."""

import pytest

from berth.adapters import gcs
from tests.support import emulators


@pytest.fixture(scope="session")
def storage_client(tmp_path_factory):
    with (
        emulators.cloud_storage(tmp_path_factory.mktemp("storage")) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("STORAGE_EMULATOR_HOST", url)
        client = gcs.client("contract", anonymous=True)
        yield client
        client.close()


@pytest.fixture(scope="session")
def pubsub_host(tmp_path_factory):
    with (
        emulators.pub_sub(tmp_path_factory.mktemp("pubsub")) as host,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PUBSUB_EMULATOR_HOST", host)
        yield host


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory):
    with emulators.cluster(tmp_path_factory.mktemp("cluster")) as path:
        yield path
