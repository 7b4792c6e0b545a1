"""Start-up: ports closed until the first config settles, exit 255 on any END, waiting for ever."""

import signal
import socket

import pytest

from tests.contract.tfserving.conftest import put
from tests.support import models
from tests.support.model_server import AVAILABLE, HOST, Version, always, config, eventually, is_open


def broken(model, name="bad"):
    base = model(name, {1: "half_plus_two"})
    (base / "1" / "saved_model.pb").write_bytes(b"")
    return base


def closed(server):
    return (
        server.process.poll() is None and not is_open(server.port) and not is_open(server.rest_port)
    )


def test_ports_stay_closed_while_a_base_path_is_missing_or_empty(start, model, tmp_path):
    good, void = model("good", {1: "half_plus_two"}), model("void", {})
    missing = tmp_path / "models" / "missing"
    server = start(models=config(("good", good), ("void", void), ("missing", missing)))
    eventually(lambda: "Could not find base path" in server.log())
    always(lambda: closed(server), 0.7)
    missing.mkdir()
    put(missing, 1, "half_plus_two")
    eventually(lambda: "No versions of servable void found under base path" in server.log())
    always(lambda: closed(server), 0.7)
    put(void, 7, "half_plus_three")
    server.ready()
    assert server.versions("void") == {7: AVAILABLE}
    assert server.versions("missing") == server.versions("good") == {1: AVAILABLE}


def test_any_model_that_ends_makes_it_exit_255(start, model):
    server = start(models=config(("bad", broken(model)), ("good", models.model("matmul"))))
    assert server.exit_code() == 255
    out = server.stdout()
    assert out.startswith(
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{name: bad version: 1} due to error: NOT_FOUND: Could not find meta graph def"
    )
    assert out.rstrip().endswith("}, }")


@pytest.mark.parametrize(("retries", "starts"), [(0, False), (1, True)])
def test_the_highest_settled_version_decides(start, model, retries, starts):
    """A failed version 2 is decisive; one that is still being retried lets version 1 count."""
    base = model("two", {1: "half_plus_two", 2: "half_plus_three"})
    (base / "2" / "saved_model.pb").write_bytes(b"")
    server = start(
        models=config(("two", base, "model_version_policy { all {} }")),
        max_num_load_retries=retries,
        load_retry_interval_micros=1_500_000,
    )
    if starts:
        assert server.ready().versions("two")[1] == AVAILABLE
        server.wait_for("two", 2, Version("END", 5, server.versions("two")[2].message))
    else:
        assert server.exit_code() == 255
        assert "{{name: two version: 2} due to error: NOT_FOUND" in server.stdout()


def test_nothing_configured(start):
    server = start()
    assert server.exit_code() == 255
    assert (
        server.stdout()
        .rstrip()
        .endswith(
            "INVALID_ARGUMENT: Both server_options.model_base_path and "
            "server_options.model_config_file are empty!"
        )
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Invalid argument"),
        ("model_config_list { config { colour: 'red' } }", "Invalid protobuf file: '"),
        ("model_config_list { config {", "Invalid protobuf file: '"),
    ],
    ids=["zero bytes", "unknown field", "cut short"],
)
def test_a_file_that_cannot_be_parsed(start, text, reason):
    server = start(models=text)
    assert server.exit_code() == 255
    assert reason in server.stdout()


def test_a_custom_config_aborts(start):
    text = "custom_model_config { [type.googleapis.com/google.protobuf.Int64Value] { value: 1 } }"
    server = start(models=text)
    assert server.exit_code() == -signal.SIGABRT
    assert "ModelServer does not yet support custom model config." in server.log()


def test_labels_in_the_first_config_need_the_flag(start):
    labelled = ("m", models.model("half_plus_two"), 'version_labels { key: "stable" value: 1 }')
    server = start(models=config(labelled))
    assert server.exit_code() == 255
    assert (
        "FAILED_PRECONDITION: Request to assign label to version 1 of model m, which is not "
        "currently available for inference"
    ) in server.stdout()


def test_a_blank_config_opens_the_ports_and_takes_a_list_later(start):
    server = start(models="# nothing yet\n").ready()
    assert "Taking no action for empty config." in server.log()
    assert server.rest("GET", "/v1/models/m").code == 404
    answer = server.predict("m/labels/stable", {"instances": [1]})
    assert (answer.code, answer.json()["error"]) == (503, "Model labels does not init yet.stable")
    server.reload(config(("m", models.model("half_plus_two"))))
    assert server.versions("m") == {1: AVAILABLE}


def test_one_model_by_flags_with_an_unknown_argument_and_an_unimplemented_flag(start):
    server = start(
        "--no_such_flag=1", model_name="one", model_base_path=models.model("half_plus_two")
    ).ready()
    assert server.versions("one") == {1: AVAILABLE}
    assert server.stdout().startswith("unknown argument: --no_such_flag=1\n")
    server.process.send_signal(signal.SIGTERM)
    assert server.exit_code(2) == -signal.SIGTERM


def test_the_file_wins_over_the_flags_and_a_taken_rest_port_is_only_logged(start, tmp_path):
    with socket.create_server((HOST, 0)) as taken:
        server = start(
            models=config(("file", models.model("half_plus_two"))),
            model_name="flag",
            model_base_path=tmp_path / "nowhere",
            rest_api_port=taken.getsockname()[1],
        )
        eventually(lambda: is_open(server.port))
        assert server.versions("file") == {1: AVAILABLE}
        assert server.versions("flag") == {}
        eventually(lambda: "Failed to start HTTP Server" in server.log())


@pytest.mark.parametrize(
    "flags",
    [
        {"batching_parameters_file": "/nonexistent"},
        {
            "tensorflow_session_parallelism": 1,
            "tensorflow_intra_op_parallelism": 1,
            "tensorflow_inter_op_parallelism": 1,
        },
        {"port": "many"},
    ],
    ids=["batching file without batching", "all three thread counts", "not a number"],
)
def test_flags_that_stop_it(start, flags):
    server = start(models=config(("m", models.model("half_plus_two"))), **flags)
    assert server.exit_code() == 255
    assert server.stdout()
