"""The six stages of a config's validation, and what is left behind when one of them refuses."""

import grpc
import pytest
from google.protobuf import any_pb2

from berth.protos import tfserving_pb2 as pb
from tests.support import models
from tests.support.model_server import AVAILABLE, GONE, config, refused

HALF = models.model("half_plus_two")
WHERE = "ModelServerConfig::model_type (deprecated)"


def test_a_config_that_is_no_list(empty):
    message = (
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported"
    )
    custom = pb.ModelServerConfig(custom_model_config=any_pb2.Any(type_url="a/b"))
    assert refused(empty.reload, custom) == ("INVALID_ARGUMENT", message)
    assert refused(empty.reload, pb.ModelServerConfig()) == ("INVALID_ARGUMENT", message)


@pytest.mark.parametrize(
    ("listed", "code", "message"),
    [
        (
            [("twice", HALF), ("twice", HALF)],
            "INVALID_ARGUMENT",
            "Illegal to list model twice multiple times in config list",
        ),
        (
            [("a", "models/a")],
            "INVALID_ARGUMENT",
            "Expected model a to have an absolute path or URI; got base_path()=models/a",
        ),
        (
            [("a", "")],
            "INVALID_ARGUMENT",
            "Expected model a to have an absolute path or URI; got base_path()=",
        ),
        (
            [("a", HALF, 'version_labels { key: "stable" value: 1 }')],
            "FAILED_PRECONDITION",
            "Request to assign label to version 1 of model a, which is not currently available "
            "for inference",
        ),
    ],
    ids=["duplicate name", "relative path", "no path", "label before load"],
)
def test_a_refused_config_changes_nothing(empty, listed, code, message):
    empty.reload(config(("kept", HALF)))
    assert refused(empty.reload, config(*listed, ("other", HALF))) == (code, message)
    assert empty.versions("kept") == {1: AVAILABLE}
    assert empty.versions("other") == {}
    assert empty.predict("kept", {"instances": [2]}).json() == {"predictions": [3.0]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'model_platform: ""',
            f"Illegal setting neither {WHERE} nor ModelServerConfig::model_platform, model name is odd",
        ),
        (
            'model_platform: "tensorflow" model_type: TENSORFLOW',
            f"Illegal setting both {WHERE} and ModelServerConfig::model_platform, model name is odd",
        ),
        ("model_type: OTHER", "ModelServerConfig::model_type choice 2 not supported."),
    ],
    ids=["no platform", "both", "other"],
)
def test_a_new_model_without_a_clear_platform_poisons_every_later_reload(start, text, message):
    server = start(models=config(("kept", HALF))).ready()
    assert refused(server.reload, config(("kept", HALF), ("odd", HALF, text))) == (
        "INVALID_ARGUMENT",
        message,
    )
    # The refused config is remembered, so the very config that was in force is refused too.
    assert refused(server.reload, config(("kept", HALF))) == ("INVALID_ARGUMENT", message)
    assert refused(server.reload, config()) == ("INVALID_ARGUMENT", message)
    assert server.versions("kept") == {1: AVAILABLE}


def test_a_misspelt_platform_is_forgotten_only_with_the_model(empty):
    wrong = config(("typo", HALF, 'model_platform: "tensorflo"'))
    right = config(("typo", HALF))
    assert refused(empty.reload, wrong) == (
        "INVALID_ARGUMENT",
        "Model typo requests unsupported platform tensorflo",
    )
    assert refused(empty.reload, right) == (
        "INVALID_ARGUMENT",
        "Illegal to change a model's platform. For model typo platform was tensorflo and new "
        "platform requested is tensorflow",
    )
    empty.reload(config())
    empty.reload(right)
    assert empty.versions("typo") == {1: AVAILABLE}


def test_the_deprecated_model_type_still_works(empty):
    empty.reload(config(("typed", HALF, "model_type: TENSORFLOW")))
    assert empty.versions("typed") == {1: AVAILABLE}


def test_an_empty_name_is_accepted_and_cannot_be_asked_for(empty):
    empty.reload(config(("", HALF)))
    request = pb.PredictRequest(model_spec=pb.ModelSpec(version={"value": 1}))
    assert refused(empty.call, "Predict", request) == (
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    )


def test_an_empty_list_unloads_everything(empty):
    empty.reload(config(("gone", HALF)))
    empty.reload(config())
    empty.wait_for("gone", 1, GONE)
    spec = pb.PredictRequest(model_spec=pb.ModelSpec(name="gone"))
    with pytest.raises(grpc.RpcError, match="Servable not found for request: Latest"):
        empty.call("Predict", spec)


def test_two_names_may_share_a_base_path(empty):
    empty.reload(config(("left", HALF), ("right", HALF)))
    assert empty.versions("left") == empty.versions("right") == {1: AVAILABLE}
