"""Manifests: order, what is promoted, what the digest covers, which names and sizes are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from berth.domain import manifest as manifests
from berth.domain.errors import InvalidModel
from berth.domain.manifest import Limits, Manifest, ManifestFile
from tests.support import hostile_bytes

SHARD = "variables/variables.data-00000-of-00001"


def file(name, generation=1, size=10, crc32c="AAAAAA=="):
    return ManifestFile(name=name, generation=generation, size=size, crc32c=crc32c)


def manifest(*names):
    return Manifest(files=tuple(file(name) for name in names))


def test_folder_objects_and_foreign_digits_are_not_promoted():
    """A console's empty folders are no files; a number in other digits names no data shard."""
    foreign = "variables/variables.data-٠٠٠٠٠-of-٠٠٠٠١"
    uploaded = manifest("saved_model.pb", "assets/", "assets/deep/", "variables/", foreign)
    assert [f.name for f in manifests.promoted(uploaded).files] == ["saved_model.pb"]


def test_only_what_serves_is_promoted():
    uploaded = manifest(
        *("saved_model.pb", "fingerprint.pb", "variables/variables.index", SHARD),
        *("assets/words.txt", "assets/other.txt", "assets.extra/tf_serving_warmup_requests"),
        *("debug/saved_model_debug_info.pb", "keras_metadata.pb", "variables/notes.txt"),
    )
    kept = [f.name for f in manifests.promoted(uploaded, assets=["words.txt"]).files]
    assert kept == [
        *("assets/words.txt", "fingerprint.pb", "saved_model.pb", SHARD),
        "variables/variables.index",
    ]
    warm = manifests.promoted(uploaded, warmup=True, assets=[])
    assert "assets.extra/tf_serving_warmup_requests" in [f.name for f in warm.files]


@given(st.permutations(["saved_model.pb", "variables/variables.index", SHARD]))
def test_order_does_not_change_the_digest(names):
    assert manifests.digest(manifest(*names)) == manifests.digest(manifest(*sorted(names)))


@pytest.mark.parametrize(
    ("change", "same"),
    [({"generation": 2}, True), ({"size": 11}, False), ({"crc32c": "BBBBBB=="}, False)],
)
def test_the_digest_is_of_bytes_not_generations(change, same):
    before = manifest("saved_model.pb")
    after = Manifest(files=(file("saved_model.pb", **change),))
    assert (manifests.digest(before) == manifests.digest(after)) is same


def test_a_name_that_is_no_text_has_a_digest_too():
    odd = manifests.digest(manifest("assets/\ud800", "saved_model.pb"))
    assert odd != manifests.digest(manifest("assets/\udfff", "saved_model.pb"))


def test_nothing_has_no_digest():
    with pytest.raises(InvalidModel):
        manifests.digest(manifest())


def test_a_name_stands_once():
    with pytest.raises(ValidationError, match="twice"):
        manifest("a", "a")


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a\nb", "a\x00b", "x" * 513],
)
def test_path_tricks_are_refused(name):
    assert not manifests.is_name(name)
    with pytest.raises(InvalidModel, match="not allowed"):
        manifests.check(Manifest(files=(file(name),)), Limits())


@pytest.mark.parametrize("name", ["saved_model.pb", "assets/a b.txt", "assets/wörter.txt", SHARD])
def test_ordinary_names_pass(name):
    manifests.check(manifest(name), Limits())


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(max_files=1), "2 files"),
        (Limits(max_file_bytes=9), "at most 9"),
        (Limits(max_bytes=19), "20 bytes in all"),
    ],
)
def test_bounds_are_named(limits, text):
    with pytest.raises(InvalidModel, match=text):
        manifests.check(manifest("a", "b"), limits)


@pytest.mark.parametrize(
    ("files", "text"), hostile_bytes.MANIFESTS.values(), ids=list(hostile_bytes.MANIFESTS)
)
def test_a_list_made_to_mislead_is_refused(files, text):
    with pytest.raises(InvalidModel, match=text):
        manifests.check(Manifest(files=files), Limits())
