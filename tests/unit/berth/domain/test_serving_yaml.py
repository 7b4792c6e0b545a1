"""serving.yaml: untrusted bytes become wishes or a reason the customer can read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from berth.domain import serving_yaml
from berth.domain.documents import AdmittedVersion, Footprint, Model, Wants
from berth.domain.errors import InvalidModel
from berth.domain.serving_yaml import Canary, ServingYaml


@pytest.mark.parametrize(
    ("data", "wishes"),
    [
        (b"", ServingYaml()),
        (b"# nothing\n", ServingYaml()),
        (b"null", ServingYaml()),
        (b"{}", ServingYaml()),
        (b"keep: 2", ServingYaml(keep=2)),
        (b"pin: 3\nkeep: 8\n", ServingYaml(keep=8, pin=3)),
        (b"pin: null", ServingYaml()),
        ("keep: 2".encode("utf-16"), ServingYaml(keep=2)),
        (b"canary: {version: 4, percent: 10}", ServingYaml(canary=Canary(version=4, percent=10))),
        (b"canary: {version: 4, percent: 0}", ServingYaml(canary=Canary(version=4, percent=0))),
        (b"canary: null", ServingYaml()),
        (b"labels: {stable: 3, B_2: 4}", ServingYaml(labels={"stable": 3, "B_2": 4})),
        (b"labels: {'4': 4}", ServingYaml(labels={"4": 4})),
        (b"labels: {" + b"l" * 32 + b": 1}", ServingYaml(labels={"l" * 32: 1})),
    ],
)
def test_what_a_customer_may_say(data, wishes):
    assert serving_yaml.parse(data) == wishes


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"keep: [", "not YAML"),
        (b"\xff\xfe\xff", "not YAML"),
        (b"\x00", "not YAML"),
        (b"a: b: c", "not YAML"),
        (b"--- 1\n--- 2\n", "not YAML"),
        (b"!!python/object/apply:os.system [id]", "tags"),
        (b"keep: !!python/name:os.system", "tags"),
        (b"keep: !!bool x", "tags"),
        (b"keep: !!timestamp x", "tags"),
        (b"keep: !!int ''", "tags"),
        (b"keep: !!int '-'", "tags"),
        (b"keep: !!float '_'", "tags"),
        (b"? !!bool x\n: 1", "tags"),
        (b"!!set {a}", "tags"),
        (b"! keep", "tags"),
        (b"keep: &a 1\npin: *a", "anchors"),
        (b"a: &a [x]\nb: &b [*a, *a]\nkeep: 1", "anchors"),
        (b"[" * 9 + b"]" * 9, "nested too deeply"),
        (b"[" * 5000, "nested too deeply"),
        (b"x" * (16 * 1024 + 1), "at most 16384"),
        (b"- 1", "dictionary"),
        (b"just text", "dictionary"),
        (b"canary: 4", "canary"),
        (b"canary: {version: 4}", "canary.percent"),
        (b"canary: {percent: 4}", "canary.version"),
        (b"canary: {version: 4, percent: 101}", "less than or equal to 100"),
        (b"canary: {version: 4, percent: -1}", "greater than or equal to 0"),
        (b"canary: {version: 4, percent: 0.5}", "percent"),
        (b"canary: {version: 4, percent: 10%}", "percent"),
        (b"canary: {version: 4, percent: true}", "percent"),
        (b"canary: {version: 0, percent: 1}", "version"),
        (b"canary: {version: 4, percent: 1, to: 9}", "canary.to"),
        (b"labels: [stable]", "labels"),
        (b"labels: {stable: '3'}", "labels.stable"),
        (b"labels: {stable: 0}", "labels.stable"),
        (b"labels: {4: 4}", "labels"),
        (b"labels: {on: 4}", "labels"),
        (b"labels: {a-b: 4}", "pattern"),
        (b"labels: {'': 4}", "pattern"),
        (b'labels: {"a\\n": 4}', "pattern"),
        (b"labels: {" + b"l" * 33 + b": 1}", "pattern"),
        (b"labels: {" + b", ".join(b"l%d: 1" % n for n in range(9)) + b"}", "at most 8"),
        (b"labels: {a: 1, a: 2}", "twice"),
        (b"Keep: 1", "Keep"),
        (b"keep: true", "keep"),
        (b"pin: true", "pin"),
        (b"keep: '2'", "keep"),
        (b"keep: 2.0", "keep"),
        (b"keep: 0", "keep"),
        (b"keep: 9", "keep"),
        (b"pin: 0", "pin"),
        (b"pin: -1", "pin"),
        (b"? [a, b]\n: 1", "YAML"),
        (b"keep: 1\nkeep: 2", "twice"),
        (b"pin: 0x" + b"f" * 4000, "pin"),
        (b"when: 2026-99-99", "not YAML"),
    ],
)
def test_anything_else_is_refused_with_its_reason(data, reason):
    with pytest.raises(InvalidModel, match=reason) as caught:
        serving_yaml.parse(data)
    assert str(caught.value).startswith("serving.yaml")
    assert len(str(caught.value)) < 1000


@settings(max_examples=150)
@given(
    st.binary(max_size=60)
    | st.text(alphabet="keppin: 0123456789[]{}&*!?-\n'\"", max_size=60).map(str.encode)
)
def test_any_bytes_give_wishes_or_that_one_error(data):
    try:
        wishes = serving_yaml.parse(data)
    except InvalidModel:
        return
    assert 1 <= wishes.keep <= 8


def model(*versions, deleted=None):
    footprint = Footprint(resident_bytes=1, peak_bytes=1, load_seconds=1)
    admitted = AdmittedVersion(
        digest="d", footprint=footprint, admitted_at="2026-11-20T00:00:00.000+00:00"
    )
    return Model(
        customer="acme",
        model="digits",
        base_path="acme/digits",
        shard="shard-0",
        versions=dict.fromkeys(versions, admitted),
        wants=Wants(deleted_versions=deleted or {}),
    )


def test_wishes_become_wants_with_their_generation():
    wants = serving_yaml.applied(model(1, 2), ServingYaml(keep=2, pin=1), generation=7)
    assert (wants.keep, wants.pin, wants.source_generation) == (2, 1, 7)


@pytest.mark.parametrize(
    ("known", "there"),
    [
        (model(1, 3), "1, 3"),
        (model(), "none"),
        (model(1, 2, deleted={2: "2026-11-21"}), r"admitted: 1\)"),
    ],
)
def test_a_pin_of_a_version_that_is_not_there_is_refused_naming_those_that_are(known, there):
    with pytest.raises(InvalidModel, match=there):
        serving_yaml.applied(known, ServingYaml(pin=2), generation=7)


def test_a_canary_and_labels_become_wants():
    wishes = ServingYaml(canary=Canary(version=2, percent=10), labels={"stable": 1})
    wants = serving_yaml.applied(model(1, 2), wishes, generation=7)
    assert (wants.canary, wants.labels) == ({2: 10}, {"stable": 1})
    again = model(1, 2).model_copy(update={"wants": wants})
    assert serving_yaml.applied(again, ServingYaml(), generation=8).canary == {}
    assert serving_yaml.applied(again, ServingYaml(), generation=8).labels == {}


@pytest.mark.parametrize(
    ("versions", "wishes", "reason"),
    [
        ((1, 2), {"canary": Canary(version=3, percent=1)}, "canary version 3.*admitted: 1, 2"),
        ((1, 2), {"labels": {"next": 3}}, "labels as next version 3.*admitted: 1, 2"),
        ((1, 2), {"pin": 2, "canary": Canary(version=2, percent=1)}, "both the pin and the canary"),
        ((2,), {"canary": Canary(version=2, percent=1)}, "only version"),
        (range(1, 20), {"keep": 8, "labels": {"a": 1}}, "keeps 8 and names 1 versions: 9 in all"),
        (
            range(1, 20),
            {"keep": 5, "canary": Canary(version=9, percent=1), "labels": {"a": 1, "b": 2, "c": 3}},
            "at most 8 may be loaded",
        ),
    ],
)
def test_what_cannot_be_is_refused(versions, wishes, reason):
    with pytest.raises(InvalidModel, match=reason):
        serving_yaml.applied(model(*versions), ServingYaml(**wishes), generation=7)


def test_versions_named_twice_count_once():
    labels = {"a": 1, "b": 1, "c": 2}
    wishes = ServingYaml(keep=6, labels=labels, canary=Canary(version=2, percent=5))
    assert serving_yaml.applied(model(*range(1, 20)), wishes, generation=7).labels == labels


def test_a_reason_is_short_however_long_the_keys_are():
    keys = "\n".join(f"{letter * 1900}: 1" for letter in "abcdefgh")
    with pytest.raises(InvalidModel) as refused:
        serving_yaml.parse(keys.encode())
    assert len(str(refused.value)) < 600
