"""The serving image's name stands for its content, and every TensorFlow is of one release."""

import re
import shutil

import pytest
import yaml

from infra import image
from infra.functions import ROOT


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(image.FOLDER, tmp_path / "image")


def pod():
    return yaml.safe_load(image.DEPLOYMENT.read_text())["spec"]["template"]["spec"]


def test_the_deployment_names_the_image_that_the_folder_makes():
    (container,) = pod()["containers"]
    assert container["image"] == image.tag(), "python -m infra.image --write puts it there"


def test_every_tensorflow_is_of_the_images_release():
    pins = [
        re.search(r"^tensorflow-cpu==(\S+)", (ROOT / path).read_text(), re.MULTILINE)
        for path in ("requirements.txt", "functions/probe_model/requirements.txt")
    ]
    assert [pin and pin[1] for pin in pins] == [image.release()] * 2
    assert image.tag().startswith(f"berth/tfserving:{image.release()}-")


def test_the_same_files_have_the_same_tag_and_any_change_another(folder):
    before = image.tag(folder)
    assert before == image.tag() == image.tag(folder)
    (folder / "start.sh").write_text("")
    added = image.tag(folder)
    (folder / "start.sh").rename(folder / "begin.sh")
    renamed = image.tag(folder)
    (folder / "Dockerfile").write_text((folder / "Dockerfile").read_text() + "\n")
    assert len({before, added, renamed, image.tag(folder)}) == 4


@pytest.mark.parametrize("base", ["", "FROM ubuntu:22.04", "FROM tensorflow/serving:latest"])
def test_an_image_of_an_unknown_release_has_no_name(folder, base):
    (folder / "Dockerfile").write_text(base)
    with pytest.raises(image.ImageError, match="Dockerfile"):
        image.tag(folder)


def test_the_tag_is_written_into_the_deployment_and_nothing_else_changes(folder, tmp_path):
    manifest = tmp_path / "deployment.yaml"
    manifest.write_text(image.DEPLOYMENT.read_text())
    (folder / "more").write_text("x")
    name = image.write(manifest, folder)
    assert name == image.tag(folder) != image.tag()
    assert manifest.read_text() == image.DEPLOYMENT.read_text().replace(image.tag(), name)


def test_a_deployment_with_an_image_of_the_operators_own_is_not_written_over(folder, tmp_path):
    manifest = tmp_path / "deployment.yaml"
    manifest.write_text("image: other/server:1\n")
    with pytest.raises(image.ImageError):
        image.write(manifest, folder)


def test_the_image_runs_as_the_pod_says_and_gets_its_signals():
    lines = (image.FOLDER / "Dockerfile").read_text().splitlines()
    (user,) = [line.split()[1] for line in lines if line.startswith("USER")]
    context = pod()["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"
    (start,) = [line for line in lines if line.startswith("ENTRYPOINT")]
    assert start == 'ENTRYPOINT ["/usr/bin/tini", "--", "/usr/bin/tensorflow_model_server"]'
    assert "command" not in pod()["containers"][0]
