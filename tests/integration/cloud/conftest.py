"""A deployment of the dev environment that was applied, for tests that look and leave it as it is."""

import shutil

import pytest

from infra import bundle, functions
from infra.offline.workspace import Workspace


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """The zip of each function."""
    into = tmp_path_factory.mktemp("bundles")
    return {name: bundle.write(row, into) for name, row in functions.read().items()}


@pytest.fixture(scope="session")
def applied(tmp_path_factory, bundles):
    """A workspace whose state is complete."""
    workspace = Workspace(tmp_path_factory.mktemp("applied"), "dev", bundles=bundles)
    workspace.init()
    workspace.apply()
    return workspace


@pytest.fixture
def copied(tmp_path, applied):
    """A copy of it with its state, to do with as one likes: make another Workspace over it."""

    def again(**options):
        shutil.copytree(applied.folder, tmp_path / "kept", symlinks=True)
        workspace = Workspace(tmp_path / "new", "dev", **options)
        workspace.init()
        shutil.copy2(tmp_path / "kept" / "terraform.tfstate", workspace.folder)
        return workspace

    return again
