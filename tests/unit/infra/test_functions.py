"""The table of functions: read as it is, and every wrong key named."""

import pytest
import yaml

from berth.domain import quotas
from infra import functions
from infra.functions import TableError

RETRY = {"attempts": 5, "minimum_backoff": 1, "maximum_backoff": 10}
ROW = {
    "trigger": {"topic": "things"},
    "identity": "berth-thing",
    "cpu": 1,
    "memory": 512,
    "timeout": 10,
    "concurrency": 2,
    "instances": 3,
    "local_instances": 1,
    "retry": RETRY,
}
DEFAULTS = {"runtime": "python311", "environment": {"A": "${A}"}}


def table(tmp_path, **rows):
    path = tmp_path / "functions.yaml"
    path.write_text(yaml.safe_dump({"defaults": DEFAULTS, "functions": rows}))
    return path


def test_the_projects_own_table_names_a_folder_and_an_account_each():
    found = functions.read()
    assert all(one.source.name == name for name, one in found.items())
    assert len({one.identity for one in found.values()}) == len(found)


def test_the_probe_has_room_for_every_plans_files_and_load_and_for_tensorflow():
    """Cloud Run keeps files in memory."""
    largest = max(
        plan.version_bytes // quotas.MIB + plan.memory_mib for plan in quotas.PLANS.values()
    )
    probe = functions.read()["probe_model"]
    assert probe.concurrency == 1
    assert probe.memory >= largest + 416


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"timeout": 0}, "thing.timeout"),
        ({"timeout": "soon"}, "thing.timeout"),
        ({"concurrency": None}, "thing.concurrency"),
        ({"identity": "Berth"}, "thing.identity"),
        ({"trigger": {"queue": "things"}}, "thing.trigger"),
        ({"colour": "red"}, "thing.colour"),
        ({"retry": None}, "thing: retry"),
        ({"trigger": {"http": "public"}}, "thing: retry"),
        ({"retry": RETRY | {"attempts": 4}}, "thing.retry.attempts"),
        ({"retry": RETRY | {"attempts": 101}}, "thing.retry.attempts"),
        ({"retry": RETRY | {"minimum_backoff": -1}}, "thing.retry.minimum_backoff"),
        ({"retry": RETRY | {"maximum_backoff": 601}}, "thing.retry.maximum_backoff"),
        ({"retry": RETRY | {"minimum_backoff": 11}}, "thing.retry: minimum_backoff"),
        ({"timeout": 541}, "thing: timeout"),
        ({"timeout": 3601, "trigger": {"http": "public"}, "retry": None}, "thing.timeout"),
        ({"cpu": 0.5, "concurrency": 1}, "thing.cpu"),
        ({"memory": 511}, "thing.memory"),
        ({"memory": 4097}, "thing: memory: 512 to 4096 MiB"),
        ({"cpu": 2, "memory": 8193}, "thing: memory"),
        ({"cpu": 4, "memory": 2047}, "thing: memory: 2048 to 16384 MiB"),
    ],
)
def test_a_wrong_key_is_named(tmp_path, change, named):
    with pytest.raises(TableError, match=named):
        functions.read(table(tmp_path, thing=ROW | change))


@pytest.mark.parametrize(
    "change",
    [
        {"retry": {"attempts": 100, "minimum_backoff": 0, "maximum_backoff": 600}},
        {"timeout": 540, "memory": 4096},
        {"timeout": 3600, "trigger": {"http": "internal"}, "retry": None},
        {"cpu": 8, "memory": 32768},
    ],
)
def test_the_clouds_limits_may_be_reached(tmp_path, change):
    assert functions.read(table(tmp_path, thing=ROW | change))


def test_all_wrong_keys_are_in_one_error(tmp_path):
    with pytest.raises(TableError, match=r"one\.memory.*two\.timeout"):
        functions.read(table(tmp_path, one=ROW | {"memory": 1}, two=ROW | {"timeout": -1}))


@pytest.mark.parametrize("text", ["functions: 3", "- a", "functions: [", "other: {}"])
def test_a_file_that_is_no_table_is_refused(tmp_path, text):
    path = tmp_path / "functions.yaml"
    path.write_text(text)
    with pytest.raises(TableError, match=r"functions\.yaml"):
        functions.read(path)


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        ({}, {}),
        (None, {"A": "${A}"}),
        ({"B": "b"}, {"A": "${A}", "B": "b"}),
        ({"A": "mine"}, {"A": "mine"}),
    ],
)
def test_an_environment_adds_to_the_defaults_and_an_empty_one_stands_for_none(
    tmp_path, own, wanted
):
    row = ROW if own is None else ROW | {"environment": own}
    assert functions.read(table(tmp_path, thing=row))["thing"].environment == wanted


def test_values_are_filled_in(tmp_path):
    found = functions.read(table(tmp_path, thing=ROW | {"environment": {"B": "x/${A}/${C}"}}))
    assert functions.fill(found, {"A": "1", "C": "2"}) == {"thing": {"A": "1", "B": "x/1/2"}}


def test_unknown_values_are_named_together(tmp_path):
    found = functions.read(
        table(tmp_path, one=ROW, two=ROW | {"environment": {"B": "${B}", "C": "c"}})
    )
    with pytest.raises(TableError, match=r"\$\{A\}, \$\{B\}$"):
        functions.fill(found, {})
