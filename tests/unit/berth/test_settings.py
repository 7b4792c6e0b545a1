"""Settings: everything that is missing or wrong in one error."""

import pytest

from berth import settings
from berth.settings import (
    AdmissionSettings,
    FleetSettings,
    MissingSettings,
    Settings,
    ShardSettings,
    StatusSettings,
)

WORLD = {
    "GOOGLE_CLOUD_PROJECT": "p",
    "BERTH_UPLOADS_BUCKET": "u",
    "BERTH_MODELS_BUCKET": "m",
    "BERTH_CONTROL_BUCKET": "c",
    "BERTH_EVENTS_TOPIC": "e",
    "BERTH_ADMISSION_TOPIC": "a",
    "BERTH_SHARD_TOPIC": "s",
}
SHARD = {
    "BERTH_NAMESPACE": "n",
    "BERTH_SHARD_MANIFESTS": "f",
    "BERTH_MODELS_MOUNT": "/models",
    "BERTH_CLUSTER_ENDPOINT": "https://k",
    "BERTH_CLUSTER_AUTHORITY": "c",
}


@pytest.fixture(autouse=True)
def read_anew():
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Settings, WORLD),
        (AdmissionSettings, WORLD | {"BERTH_PROBE_URL": "x"}),
        (ShardSettings, WORLD | SHARD),
        (FleetSettings, WORLD),
        (StatusSettings, WORLD | {"BERTH_SERVING_MACHINE": "x", "BERTH_SERVING_DISK_GIB": "1"}),
    ],
)
def test_one_error_names_all_that_is_missing(kind, names):
    with pytest.raises(MissingSettings) as caught:
        settings.load(kind)
    assert [name for name in names if name not in str(caught.value)] == []


def test_a_wrong_one_is_named_without_its_value(monkeypatch):
    for name, value in (WORLD | {"BERTH_FIRST_SHARDS": "secret"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MissingSettings, match="BERTH_FIRST_SHARDS") as caught:
        settings.load(FleetSettings)
    assert "secret" not in str(caught.value)


def test_they_are_read_once_and_frozen(monkeypatch):
    for name, value in WORLD.items():
        monkeypatch.setenv(name, value)
    given = settings.load(FleetSettings)
    assert (given.project, given.first_shards, given.storage_emulator) == ("p", 2, "")
    assert settings.load(FleetSettings) is given


def test_the_cluster_is_reached_with_googles_credentials_unless_a_file_is_named(monkeypatch):
    for name, value in (WORLD | SHARD).items():
        monkeypatch.setenv(name, value)
    given = settings.load(ShardSettings)
    assert (given.cluster_token_file, given.image_registry) == ("", "")
