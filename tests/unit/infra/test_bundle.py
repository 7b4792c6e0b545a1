"""Bundles: what is in them, and that the same sources give the same bytes."""

import io
import os
import zipfile

import pytest

from infra import bundle, functions


@pytest.fixture
def function(tmp_path):
    source = tmp_path / "functions" / "thing"
    source.mkdir(parents=True)
    (source / "main.py").write_text("x = 1\n")
    (source / "requirements.txt").write_text("functions-framework\n")
    (source / "requirements.lock").write_text("functions-framework==3 --hash=sha256:1\n")
    return functions.read()["on_upload"].model_copy(update={"name": "thing", "source": source})


def names(content):
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_the_bundle_has_the_function_the_package_and_nothing_else(function):
    found = names(bundle.archive(function))
    assert {"main.py", "requirements.txt", "berth/__init__.py"} <= set(found)
    assert "berth/protos/tensorflow_pb2.py" in found
    assert all(name.endswith((".py", ".json", "requirements.txt")) for name in found)


def test_the_bundle_installs_what_is_locked_and_nothing_newer(function):
    bundled = zipfile.ZipFile(io.BytesIO(bundle.archive(function)))
    assert bundled.read("requirements.txt") == (function.source / "requirements.lock").read_bytes()


def test_the_same_sources_give_the_same_bytes_whenever_they_were_written(function):
    before = bundle.archive(function)
    os.utime(function.source / "main.py", (1, 1))
    (function.source / "main.py").chmod(0o600)
    assert bundle.archive(function) == before


def test_what_did_not_change_is_not_staged_again_and_what_did_is(function, tmp_path):
    first = bundle.stage(function, tmp_path / "staged")
    stamp = (first / "main.py").stat().st_mtime_ns
    assert bundle.stage(function, tmp_path / "staged") == first
    assert (first / "main.py").stat().st_mtime_ns == stamp
    (function.source / "main.py").write_text("x = 2\n")
    second = bundle.stage(function, tmp_path / "staged")
    assert second != first
    assert (second / "main.py").read_text() == "x = 2\n"


def test_a_zip_is_named_by_its_digest(function, tmp_path):
    path = bundle.write(function, tmp_path / "zips")
    assert path.name == f"thing-{bundle.digest(path.read_bytes())}.zip"


def test_included_folders_are_carried_under_their_names(function, tmp_path):
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "one.yaml").write_text("a: 1\n")
    with_folder = function.model_copy(update={"include": {"manifests": "k8s"}})
    assert "manifests/one.yaml" in names(bundle.archive(with_folder))


@pytest.mark.parametrize("missing", ["main.py", "requirements.lock"])
def test_a_missing_file_is_named(function, missing):
    (function.source / missing).unlink()
    with pytest.raises(bundle.BundleError, match=missing):
        bundle.archive(function)


def test_an_included_folder_without_files_is_refused(function):
    with pytest.raises(bundle.BundleError, match="manifests"):
        bundle.archive(function.model_copy(update={"include": {"manifests": "nowhere"}}))


def test_a_broken_shard_manifest_is_refused_with_its_line(function, tmp_path):
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "one.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nspce: {}\n")
    changes = {
        "include": {"manifests": "k8s"},
        "environment": {"BERTH_SHARD_MANIFESTS": "manifests"},
    }
    with pytest.raises(bundle.BundleError, match=r"one\.yaml:3: .*no such field"):
        bundle.archive(function.model_copy(update=changes))
