"""What a pod's spec means to a process."""

from pathlib import Path

import pytest

from infra.local.node import spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--port=$(PORT)", "--port=8500"),
        ("$$(PORT)", "$(PORT)"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$PORT costs $$5", "$PORT costs $5"),
        ("$(PORT)$(PORT)", "85008500"),
    ],
)
def test_expansion_follows_kubernetes(text, expected):
    assert spec.expand(text, {"PORT": "8500"}) == expected


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ["python", "-m", "server"]),
        ({"args": ["--a"]}, ["python", "-m", "server", "--a"]),
        ({"command": ["sh"], "args": ["-c", "$(X)"]}, ["sh", "-c", "1"]),
        ({"command": ["sh"]}, ["sh"]),
    ],
)
def test_a_command_replaces_the_image_and_arguments_follow(container, argv):
    image = spec.Image(("python", "-m", "server"))
    assert spec.command_line(image, container, {"X": "1"}) == argv


def test_variables_see_the_ones_before_them_and_the_downward_api():
    pod = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"a": "b"}},
        "spec": {},
    }
    fields = spec.downward(pod, "127.20.0.1", "local-1")
    container = {
        "env": [
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
            {"name": "BOTH", "value": "$(IP)/$(LABEL)/$(LATER)"},
            {"name": "LATER", "value": ""},
        ]
    }
    told = spec.environment(container, fields)
    assert told == {"IP": "127.20.0.1", "LABEL": "b", "BOTH": "127.20.0.1/b/$(LATER)", "LATER": ""}


def test_a_secret_is_refused_and_not_left_out():
    container = {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}
    with pytest.raises(spec.ConfigError, match="KEY"):
        spec.environment(container, {})


@pytest.mark.parametrize(
    ("pod", "container", "expected"),
    [
        ({}, {}, (0, 0)),
        ({"runAsUser": 7}, {}, (7, 7)),
        ({"runAsUser": 7, "runAsGroup": 8}, {"runAsUser": 9}, (9, 8)),
        ({"runAsNonRoot": True}, {}, (spec.NOBODY, spec.NOBODY)),
    ],
)
def test_the_container_overrides_the_pod_about_its_user(pod, container, expected):
    asked = {"spec": {"securityContext": pod}}
    assert spec.user(asked, {"securityContext": container}) == expected


def test_root_is_refused_where_the_pod_forbids_it():
    asked = {"spec": {"securityContext": {"runAsNonRoot": True, "runAsUser": 0}}}
    with pytest.raises(spec.ConfigError, match="runAsNonRoot"):
        spec.user(asked, {})


def bucket(options, **more):
    attributes = {"bucketName": "control", "mountOptions": options}
    return {"name": "v", "csi": {"driver": spec.GCSFUSE, "volumeAttributes": attributes, **more}}


@pytest.mark.parametrize(
    ("volume", "source", "read_only"),
    [
        (bucket("implicit-dirs", readOnly=True), "/b/control", True),
        (bucket("ro,only-dir=shards/s/boot"), "/b/control/shards/s/boot", True),
        (bucket("only-dir=/shards/"), "/b/control/shards", False),
        ({"name": "v", "emptyDir": {}}, "/own/v", False),
        ({"name": "v", "configMap": {"name": "m"}}, "/own/v", True),
    ],
)
def test_a_volume_is_a_host_folder(volume, source, read_only):
    pod = {"spec": {"volumes": [volume]}}
    container = {"volumeMounts": [{"name": "v", "mountPath": "/at"}]}
    mounts = spec.mounts(pod, container, Path("/own"), Path("/b"))
    assert mounts == [spec.Mount(Path(source), "/at", read_only)]


@pytest.mark.parametrize(
    "volume", [{"name": "v", "hostPath": {"path": "/"}}, bucket("only-dir=../other")]
)
def test_a_volume_outside_the_buckets_is_refused(volume):
    pod = {"spec": {"volumes": [volume]}}
    container = {"volumeMounts": [{"name": "v", "mountPath": "/at"}]}
    with pytest.raises(spec.ConfigError):
        spec.mounts(pod, container, Path("/own"), Path("/b"))


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("2", 2), ("1Gi", 2**30), ("1.5Mi", 1.5 * 2**20), ("3k", 3000), (4, 4)],
)
def test_quantities(text, number):
    assert spec.quantity(text) == number


def test_no_quantity_is_an_error():
    with pytest.raises(spec.ConfigError):
        spec.quantity("1 gibibyte")


@pytest.mark.parametrize(
    "name", ["berth/tfserving:2.20.0", "berth/tfserving", "berth/tfserving@sha256:1"]
)
def test_an_image_is_found_without_its_tag(name):
    assert spec.find_image(spec.images({"berth/tfserving": {"command": ["x"]}}), name)


def test_a_registry_port_is_no_tag():
    assert spec.find_image({"localhost:5000/x": spec.Image(("x",))}, "localhost:5000/x:1")
    assert spec.find_image({"localhost": spec.Image(("x",))}, "localhost:5000/x") is None


def test_ports_by_number_and_name():
    container = {"ports": [{"name": "grpc", "containerPort": 8500}]}
    assert (spec.port(container, "grpc"), spec.port(container, 1), spec.port(container, "2")) == (
        8500,
        1,
        2,
    )
    with pytest.raises(spec.ConfigError):
        spec.port(container, "http")
