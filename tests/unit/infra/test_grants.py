import re

import pytest
import yaml

from infra import functions, grants

TABLE = grants.read()


def written(path, table):
    path.write_text(yaml.safe_dump(table))
    return path


def test_one_error_names_every_wrong_key(tmp_path):
    path = written(
        tmp_path / "grants.yaml",
        {
            "functions": {
                "on_upload": {"buckets": {"uploads": {"read": ["*"]}, "inbox": {}}, "say": []},
                "status": {"buckets": {"control": {"get": ["/shards"], "list": ["shards/"]}}},
            },
            "serving": {"buckets": {"models": {"get": ["*"], "write": ["*"]}}},
        },
    )
    with pytest.raises(grants.GrantsError) as error:
        grants.read(path)
    for key in (
        "functions.on_upload.buckets.uploads.read",
        "functions.on_upload.buckets.inbox",
        "functions.on_upload.say",
        "functions.status.buckets.control.get.0",
        "functions.status.buckets.control.list.0",
        "serving.buckets.models.write",
    ):
        assert f"{key}:" in re.sub(r"\.\[key\]", "", str(error.value))


def test_names_that_nothing_else_knows_are_refused(tmp_path):
    row = {"publish": ["gossip"], "call": ["on_upload", "nobody"]}
    path = written(
        tmp_path / "grants.yaml",
        {"functions": {"on_upload": row, "stranger": {}}, "serving": {"buckets": {}}},
    )
    with pytest.raises(grants.GrantsError) as error:
        grants.read(path)
    for text in (
        "functions.on_upload.publish: no topic gossip",
        "functions.on_upload.call: on_upload is called by nobody",
        "functions.on_upload.call: nobody is called by nobody",
        "functions.stranger: no such function",
    ):
        assert text in str(error.value)


@pytest.mark.parametrize(
    "objects",
    [
        ["a/", "a/"],
        ["*", "a/"],
        [f"{n}/" for n in range(14)],
        ["a*b/"],
        ["a/*/b/*/c"],
        ['a"'],
        ["a{b}"],
        [""],
        [],
    ],
)
def test_objects_that_no_condition_can_say_are_refused(tmp_path, objects):
    row = {"buckets": {"control": {"get": objects}}}
    path = written(
        tmp_path / "grants.yaml", {"functions": {"status": row}, "serving": {"buckets": {}}}
    )
    with pytest.raises(grants.GrantsError, match=r"functions\.status\.buckets\.control\.get"):
        grants.read(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(grants.GrantsError, match=r"missing\.yaml"):
        grants.read(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("objects", "inside", "outside"),
    [
        ("customers/", "customers/acme.json", "models/customers/acme.json"),
        ("*.status.json", "acme/digits/1.status.json", "acme/digits/1.status.json/x"),
        ("shards/*/boot/", "shards/shard-0/boot/models.config", "shards/shard-0/live/boot/x"),
        ("shards/*/lease.json", "shards/shard-0/lease.json", "shards/lease.json"),
        ("shards/*/boot/", "shards/a/boot/", "shards//boot/x"),
        ("a.b/", "a.b/c", "axb/c"),
    ],
)
def test_what_objects_cover(objects, inside, outside):
    assert grants.covers(objects, inside)
    assert not grants.covers(objects, outside)


def test_everything_covers_everything():
    assert grants.covers("*", "any/thing")


def test_a_condition_names_the_bucket_and_the_objects():
    said = grants.condition(("admissions/", "shards/*/boot/", "*.status.json"), "p-berth-control")
    assert said.split(" || ") == [
        'resource.name.startsWith("projects/_/buckets/p-berth-control/objects/admissions/")',
        'resource.name.extract("projects/_/buckets/p-berth-control/objects/shards/{part}/boot/") != ""',
        'resource.name.endsWith(".status.json")',
    ]
    assert grants.condition(("*",), "p-berth-control") == ""


def test_permissions_are_allowed_by_verbs_that_hold_them():
    access = grants.Access(get=("a/",), write=("a/b/",))
    assert access.using("storage.objects.get", "a/x") == (("get", "a/"),)
    assert access.using("storage.objects.delete", "a/b/x") == (("write", "a/b/"),)
    assert access.using("storage.objects.create", "a/x") == ()
    assert access.using("storage.objects.list", "a/x") == ()


def test_the_probe_may_touch_nothing():
    assert TABLE.of("probe_model") == grants.Granted()


def test_nobody_may_write_what_the_pods_boot_from_but_who_makes_it():
    boot = "shards/shard-0/boot/models.config"
    writers = {
        name
        for name, row in TABLE.functions.items()
        if "control" in row.buckets and row.buckets["control"].using("storage.objects.create", boot)
    }
    assert writers == {"reconcile_shard"}


def test_promoted_models_can_be_made_but_not_replaced():
    """Writing over an object takes both rights: no identity has them."""
    rights = ("storage.objects.create", "storage.objects.delete")
    held = {
        name: [right for right in rights if row.buckets["models"].using(right, "acme/digits/1/x")]
        for name, row in TABLE.functions.items()
        if "models" in row.buckets
    }
    assert held == {"admit_model": [rights[0]], "reconcile_fleet": [rights[1]]}


def test_the_document_on_security_shows_the_table():
    text = (functions.ROOT / "docs/security.md").read_text()
    assert grants.markdown(TABLE) in text, "put there what `python -m infra.grants` prints"
