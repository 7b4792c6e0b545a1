"""The manifests: what an operator may not edit away unseen."""

from pathlib import Path

import pytest
import yaml

K8S = Path(__file__).parents[4] / "k8s"


def load(name):
    return yaml.safe_load((K8S / "shard" / f"{name}.yaml").read_text())


def server():
    return load("deployment")["spec"]["template"]["spec"]["containers"][0]


def test_the_autoscaler_alone_owns_the_replicas():
    assert "replicas" not in load("deployment")["spec"]


def test_a_rollout_never_takes_a_server_before_its_successor_is_ready():
    strategy = load("deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert server()["lifecycle"]["preStop"]["sleep"]["seconds"] == 10
    assert "livenessProbe" not in server()


@pytest.mark.parametrize(
    "flag",
    [
        "--model_config_file=/boot/models.config",
        "--model_config_file_poll_wait_seconds=0",
        "--file_system_poll_wait_seconds=1",
        "--max_num_load_retries=3",
        "--enable_grpc_healthcheck_service=true",
        "--enable_profiler=false",
    ],
)
def test_the_server_gets_the_flags_the_control_plane_relies_on(flag):
    assert flag in server()["args"]


def test_every_selector_is_part_of_the_pods_labels():
    template = load("deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        load("deployment")["spec"]["selector"]["matchLabels"],
        load("service")["spec"]["selector"],
        load("pdb")["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector.items() <= template.items() for selector in selectors)


def test_buckets_are_mounted_read_only():
    volumes = load("deployment")["spec"]["template"]["spec"]["volumes"]
    buckets = [volume["csi"] for volume in volumes if "csi" in volume]
    assert len(buckets) == 2
    assert all(bucket["readOnly"] for bucket in buckets)
    options = [bucket["volumeAttributes"]["mountOptions"].split(",") for bucket in buckets]
    assert all({"ro", "implicit-dirs"} <= set(each) for each in options)
    assert "only-dir=shards/shard/boot" in options[1]


def test_the_function_may_delete_what_it_makes_and_nothing_else():
    documents = yaml.safe_load_all((K8S / "base" / "reconcile-shard.yaml").read_text())
    role = next(each for each in documents if each["kind"] == "Role")
    allowed = {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    deleted = {resource for resource, verb in allowed if verb == "delete"}
    created = {resource for resource, verb in allowed if verb == "create"}
    assert deleted == {"pods", *created}
    assert {verb for _, verb in allowed} == {"get", "list", "create", "patch", "delete"}
    assert not {each for each in allowed if each[0] == "secrets" or "*" in each}
