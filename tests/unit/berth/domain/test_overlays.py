"""A pool's patches over the shard's manifests: merged by key and by name, and nothing else touched."""

import copy

import pytest
import yaml

from berth.domain import overlays, workload
from berth.domain.documents import Shard
from tests.support.overlays import MANIFESTS

GOLD = yaml.safe_load("""
kind: Deployment
spec:
  template:
    spec:
      nodeSelector: {berth.dev/pool: gold}
      tolerations:
        - {key: berth.dev/gold, operator: Exists, effect: NoSchedule}
      containers:
        - name: tensorflow-serving
          image: example.com/tfserving:gold
""")


@pytest.mark.parametrize(
    ("under", "over", "made"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": None}}, {"a": {"b": 1}}),
        ({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        (
            {"a": [{"name": "x", "v": 1}, {"name": "y", "v": 2}]},
            {"a": [{"name": "y", "v": 3}, {"name": "z"}]},
            {"a": [{"name": "x", "v": 1}, {"name": "y", "v": 3}, {"name": "z"}]},
        ),
        ({"a": [{"key": "x"}]}, {"a": [{"key": "y"}]}, {"a": [{"key": "y"}]}),
    ],
)
def test_how_a_patch_is_merged(under, over, made):
    before = copy.deepcopy((under, over))
    assert overlays.merged(under, over) == made
    assert (under, over) == before


def test_a_pool_has_its_nodes_and_its_image_and_all_else_of_a_shard():
    patched = overlays.overlaid(MANIFESTS, [GOLD])
    shard = Shard(shard="shard-7", memory_bytes=2**31, pool="gold")
    plain = workload.render(MANIFESTS, shard, workload.Buckets("berth", "m", "c"))
    made = workload.render(patched, shard, workload.Buckets("berth", "m", "c", "example.org/b"))
    pod = made[0]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"berth.dev/pool": "gold"}
    assert [one["key"] for one in pod["tolerations"]] == ["berth.dev/gold"]
    assert pod["containers"][0]["image"] == "example.com/tfserving:gold"
    assert (
        pod["containers"][0]["args"]
        == plain[0]["spec"]["template"]["spec"]["containers"][0]["args"]
    )
    assert made[1:] == plain[1:]
