"""Reloads: what they wait for, what an answer of OK is worth, and one mutex for all of them."""

import time

from tests.contract.tfserving.conftest import put
from tests.support import models
from tests.support.model_server import AVAILABLE, GONE, always, config, eventually, refused

HALF = models.model("half_plus_two")


def damaged(model, name):
    base = model(name, {1: "half_plus_two"})
    (base / "1" / "saved_model.pb").write_bytes(b"")
    return base


def test_a_new_model_that_fails_and_the_identical_reload_that_succeeds(empty, model):
    new = config(("fails", damaged(model, "fails")), ("works", HALF))
    code, message = refused(empty.reload, new)
    assert code == "UNKNOWN"
    assert message.startswith(
        "1 model(s) did not become available: "
        "{{name: fails version: 1} due to error: NOT_FOUND: Could not find meta graph def"
    )
    assert message.endswith("}, }")
    # Nothing is rolled back, and the failed model is no longer new.
    assert empty.versions("works") == {1: AVAILABLE}
    empty.reload(new)
    assert empty.versions("fails")[1].state == "END"


def test_long_messages_are_cut(empty, model):
    base = damaged(model, "long")
    code, message = refused(
        empty.reload, config(*((f"long-{'x' * 100}-{index}", base) for index in range(8)))
    )
    assert code == "UNKNOWN"
    assert message.startswith("8 model(s) did not become available: {")
    assert len(message) == 1024 + len("...TRUNCATED")
    assert message.endswith("...TRUNCATED")


def test_only_new_names_are_waited_for(empty, model, tmp_path):
    base = model("known", {1: "half_plus_two"})
    empty.reload(config(("known", base)))
    # Neither another policy nor another base path is waited for, not even one that is missing.
    started = time.monotonic()
    empty.reload(config(("known", base, "model_version_policy { specific { versions: 9 } }")))
    empty.reload(config(("known", tmp_path / "missing")))
    assert time.monotonic() - started < 3
    # With a name that is waited for, the missing path keeps the sweep from ever reaching it.
    empty.reload(config(("known", base), ("other", HALF)))
    assert empty.versions("other") == {1: AVAILABLE}


def test_a_reload_that_waits_for_ever_blocks_every_later_one(start, model, tmp_path):
    late = tmp_path / "models" / "late"
    server = start(models=config(("kept", HALF))).ready()
    assert refused(server.reload, config(("kept", HALF), ("late", late)), 1.5) == (
        "DEADLINE_EXCEEDED",
        "Deadline Exceeded",
    )
    # The client is gone, its reload is not: the correction waits behind it.
    assert refused(server.reload, config(("kept", HALF)), 1)[0] == "DEADLINE_EXCEEDED"
    third = server.reload_in_background(config(("kept", HALF), ("third", HALF)))
    # Status and predictions do not need the mutex.
    assert server.versions("kept") == {1: AVAILABLE}
    assert server.predict("kept", {"instances": [2]}).code == 200
    always(third.is_alive, 0.5)
    late.mkdir(parents=True)
    put(late, 1, "half_plus_three")
    third.join(20)
    assert third.error is None
    # What was queued was applied, abandoned or not: late came, and went with the second reload.
    assert server.versions("third") == {1: AVAILABLE}
    server.wait_for("late", 1, GONE)


def test_a_base_path_may_change_but_a_loaded_number_is_not_loaded_again(empty, model):
    before = model("before", {1: "half_plus_two", 2: "half_plus_two"})
    after = model("after", {2: "half_plus_three", 3: "half_plus_three"})
    every = "model_version_policy { all {} }"
    empty.reload(config(("moved", before, every)))
    empty.wait_for("moved", 1)
    empty.wait_for("moved", 2)
    empty.reload(config(("moved", after, every)))
    empty.wait_for("moved", 3)
    empty.wait_for("moved", 1, GONE)
    results = {
        version: empty.predict(f"moved/versions/{version}", {"instances": [2]}).json()
        for version in (2, 3)
    }
    assert results == {2: {"predictions": [3.0]}, 3: {"predictions": [4.0]}}


def test_metrics_asked_for_are_counted(empty):
    name = "/tensorflow/serving/request_count"
    answer = empty.reload(config(("counted", HALF)), metrics=[name])
    assert [(each.name, each.int64_value_increase) for each in answer.metric] == [(name, 0)]
    assert answer.status.error_code == 0


def test_the_file_is_read_once_and_so_is_the_folder_without_an_interval(start):
    """Without polling of folders, a reload that adds a model waits for ever."""
    server = start(models=config(), file_system_poll_wait_seconds=0).ready()
    server.write_config(config(("from_file", HALF)))
    assert refused(server.reload, config(("m", HALF)), 1.5)[0] == "DEADLINE_EXCEEDED"
    assert server.versions("m") == server.versions("from_file") == {}


def test_the_polled_file_overrides_the_rpc_and_bad_files_are_only_logged(start):
    server = start(
        models=config(("from_file", HALF)), model_config_file_poll_wait_seconds=1
    ).ready()
    server.reload(config(("from_rpc", HALF)))
    server.wait_for("from_rpc", 1, GONE)
    server.wait_for("from_file", 1)
    server.write_config(config(("from_file", HALF), ("from_file", HALF)))
    eventually(lambda: "PollFilesystemAndReloadConfig failed to ReloadConfig: " in server.log())
    server.write_config("model_config_list { config { colour: 'red' } }")
    eventually(lambda: "Failed to read ModelServerConfig file: " in server.log())
    assert server.versions("from_file") == {1: AVAILABLE}
    server.write_config(config(("from_file", HALF), ("added", HALF)))
    server.wait_for("added", 1)
