"""Servers shared by the tests of a module or of the whole suite, and folders of models to change."""

import shutil

import pytest

from tests.support import model_server, models

# Patience costs minutes per failing model; tests that are about retries set their own.
IMPATIENT = {"max_num_load_retries": 0, "load_retry_interval_micros": 0}


@pytest.fixture
def start(tmp_path):
    """Starts servers that end with the test: start("flag", name=value, models=config)."""
    running = []

    def begin(*flags, **named):
        folder = tmp_path / f"server{len(running)}"
        folder.mkdir()
        server = model_server.ModelServer(folder, *flags, **(IMPATIENT | named))
        running.append(server)
        return server

    yield begin
    for server in running:
        server.__exit__()


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A server with no models, for tests that reload it: each test uses names of its own."""
    folder = tmp_path_factory.mktemp("empty")
    with model_server.ModelServer(
        folder, models=model_server.config(), num_load_threads=2, **IMPATIENT
    ) as server:
        yield server.ready()


@pytest.fixture(scope="session")
def standard(tmp_path_factory):
    """A server with one version of each test model, which no test reloads."""
    folder = tmp_path_factory.mktemp("standard")
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    listed = [(name, models.model(name)) for name in models.NAMES]
    labelled = (
        "labelled",
        models.model("half_plus_two"),
        'version_labels { key: "stable" value: 1 }',
    )
    dangling = (
        "dangling",
        models.model("half_plus_two"),
        'version_labels { key: "next" value: 2 }',
    )
    with model_server.ModelServer(
        folder,
        models=model_server.config(*listed, labelled, dangling),
        allow_version_labels_for_unavailable_models=True,
        enable_grpc_healthcheck_service=True,
        monitoring_config_file=folder / "monitoring.config",
        rest_api_timeout_in_ms=2000,
        **IMPATIENT,
    ) as server:
        yield server.ready()


@pytest.fixture
def model(tmp_path):
    """Copies test models: model("a", {1: "half_plus_two"}) is the base path of its versions."""

    def make(name, versions):
        base = tmp_path / "models" / name
        base.mkdir(parents=True, exist_ok=True)
        for version, source in versions.items():
            put(base, version, source)
        return base

    return make


def put(base, version, source):
    """Adds one version in one step, as a careful uploader does."""
    staging = base.parent / f".{base.name}-{version}"
    shutil.copytree(models.model(source) / "1", staging)
    staging.replace(base / str(version))
