"""Version discovery: the ordered sweep, and the versions each policy wants."""

import shutil

from tests.contract.tfserving.conftest import put
from tests.support import models
from tests.support.model_server import AVAILABLE, GONE, always, config, eventually, refused

HALF = models.model("half_plus_two")


def policy(text):
    return f"model_version_policy {{ {text} }}"


def test_one_missing_base_path_stops_all_discovery(start, model):
    """Before it and after it in the list: results count only after the whole sweep."""
    before, after = model("before", {1: "half_plus_two"}), model("after", {1: "half_plus_two"})
    lost = model("lost", {1: "half_plus_two"})
    listed = [("before", before), ("lost", lost), ("after", after)]
    server = start(models=config(*listed, ("removed", HALF))).ready()
    lost.rename(lost.parent / "aside")
    eventually(lambda: f"Could not find base path {lost} for servable lost" in server.log())
    put(before, 2, "half_plus_three")
    put(after, 2, "half_plus_three")
    # Removal by config does not need a sweep.
    server.reload(config(*listed))
    server.wait_for("removed", 1, GONE)
    always(lambda: all(server.versions(name) == {1: AVAILABLE} for name, _ in listed), 1.2)
    (lost.parent / "aside").rename(lost)
    server.wait_for("before", 2)
    server.wait_for("after", 2)
    server.wait_for("after", 1, GONE)
    # A policy that wants nothing never ends the wait for a new name.
    nothing = config(*listed, ("none", HALF, policy("specific {}")))
    assert refused(server.reload, nothing, 1.2)[0] == "DEADLINE_EXCEEDED"
    assert server.versions("none") == {}


def test_a_path_with_an_unknown_scheme_stops_discovery_too(start):
    server = start(models=config(("gone", "s3://bucket/model"), ("m", HALF)))
    eventually(lambda: "File system scheme 's3' not implemented" in server.log())


def test_no_version_left_unloads_all(empty, model):
    base = model("emptied", {1: "half_plus_two"})
    empty.reload(config(("emptied", base)))
    shutil.rmtree(base / "1")
    empty.wait_for("emptied", 1, GONE)
    put(base, 1, "half_plus_two")
    empty.wait_for("emptied", 1)


def test_specific_is_an_intersection_with_what_exists(empty, model):
    base = model("chosen", {1: "half_plus_two", 2: "half_plus_two"})
    empty.reload(config(("chosen", base, policy("specific { versions: 1 versions: 3 }"))))
    assert empty.versions("chosen") == {1: AVAILABLE}
    put(base, 3, "half_plus_three")
    empty.wait_for("chosen", 3)
    assert empty.versions("chosen") == {3: AVAILABLE, 1: AVAILABLE}
    # The outage trap: nothing that is wanted exists, so all is unloaded.
    empty.reload(config(("chosen", base, policy("specific { versions: 9 }"))))
    empty.wait_for("chosen", 3, GONE)
    empty.wait_for("chosen", 1, GONE)


POLICIES = {
    "latest-two": (policy("latest { num_versions: 2 }"), {12, 7}),
    "latest-none-is-one": (policy("latest { num_versions: 0 }"), {12}),
    "unset-is-latest": ("", {12}),
    "all": (policy("all {}"), {12, 7, 3, 2}),
    "specific-zero-padded": (policy("specific { versions: 7 versions: 2 }"), {7, 2}),
}


def test_policies_and_names_of_versions(empty, model):
    names = ("2", "00000007", "12", "v99", " +3 ")
    base = model("policies", dict.fromkeys(names, "half_plus_two"))
    (base / "notes.txt").write_text("not a version")
    empty.reload(config(*((name, base, text) for name, (text, _) in POLICIES.items())))
    for name, (_, wanted) in POLICIES.items():
        for version in wanted:
            empty.wait_for(name, version)
        assert set(empty.versions(name)) == wanted


def test_a_file_with_a_number_for_a_name_is_a_version(empty, model):
    base = model("file", {1: "half_plus_two"})
    (base / "5").write_text("five")
    code, message = refused(empty.reload, config(("file", base)))
    assert code == "UNKNOWN"
    assert (
        "due to error: NOT_FOUND: Specified file path does not appear to contain a SavedModel "
        "bundle (should have a file called `saved_model.pb`)\n"
        f"Specified file path: {base / '5'}"
    ) in message
