"""gRPC through a real Envoy with the door's configuration: routed and authorised on what the body says."""

import grpc
import pytest

from berth.protos.tfserving_pb2 import PredictRequest
from tests.support import door

CODE = grpc.StatusCode
PREDICT = "PredictionService/Predict"
STATUS = "ModelService/GetModelStatus"


def request(name="acme.churn", version=None, label=None, filters=("out",)):
    made = PredictRequest(output_filter=list(filters))
    made.model_spec.name, made.model_spec.signature_name = name, "sig"
    if version is not None:
        made.model_spec.version.value = version
    if label is not None:
        made.model_spec.version_label = label
    return made


@pytest.mark.parametrize(
    ("asked", "version"),
    [
        (request(), 3),
        (request(version=4), 4),
        (request(version=3), 3),
        (request(label="next"), 4),
        (request(label="stable", filters=["x" * 100_000]), 3),
    ],
)
@pytest.mark.parametrize("method", ["Predict", "Classify", "Regress", "GetModelMetadata"])
def test_a_call_reaches_the_version_it_asks_for(call, method, asked, version):
    answer = PredictRequest.FromString(
        call(f"PredictionService/{method}", asked.SerializeToString())
    )
    wanted = PredictRequest()
    wanted.CopyFrom(asked)
    wanted.model_spec.version.value = version
    assert answer == wanted


def test_a_models_status_is_asked_of_all_its_versions(call):
    asked = request()
    assert PredictRequest.FromString(call(STATUS, asked.SerializeToString())) == asked
    labelled = PredictRequest.FromString(call(STATUS, request(label="next").SerializeToString()))
    assert labelled.model_spec.version.value == 4


def test_each_model_is_served_by_its_own_shard(standing, call):
    call(PREDICT, request("globex.churn").SerializeToString(), "globex")
    assert standing[2].seen[-1]["path"] == f"/tensorflow.serving.{PREDICT}"
    told = standing[2].seen[-1]["headers"]
    assert not [one for one in told if one.startswith(("x-berth-", "authorization"))]


@pytest.mark.parametrize(
    ("asked", "code", "reason"),
    [
        (request("acme.nothing"), CODE.NOT_FOUND, "no model acme.nothing is served"),
        (request("acme.leaving"), CODE.NOT_FOUND, "no model acme.leaving is served"),
        (request(version=9), CODE.NOT_FOUND, "version 9 is not served"),
        (request(version=-1), CODE.NOT_FOUND, "is not served"),
        (request(label="none"), CODE.NOT_FOUND, "no such label"),
        (request("acme.loading"), CODE.UNAVAILABLE, "pending: it is being loaded"),
        (request("globex.churn"), CODE.PERMISSION_DENIED, "not one of globex's"),
        (request("globex.nothing"), CODE.PERMISSION_DENIED, "not one of globex's"),
        (request("../customers/acme"), CODE.NOT_FOUND, "no model has such a name"),
        (request("acme.chürn\n"), CODE.NOT_FOUND, "no model has such a name"),
        (request(""), CODE.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (PredictRequest(), CODE.INVALID_ARGUMENT, "Missing ModelSpec"),
    ],
)
def test_what_cannot_be_served_is_refused_with_grpcs_own_status(call, asked, code, reason):
    found = call(PREDICT, asked.SerializeToString())
    assert found[0] == code
    assert reason in found[1]


def test_two_model_specs_are_one_too_many(standing, call):
    """Protobuf would merge them: authorised for one, served another."""
    before = len(standing[1].seen)
    both = request().SerializeToString() + request("globex.churn").SerializeToString()
    code, reason = call(PREDICT, both)
    assert (code, "malformed" in reason) == (CODE.INVALID_ARGUMENT, True)
    assert len(standing[1].seen) == before


@pytest.mark.parametrize("message", [b"\xff", b"\x0a\x7f", b"\x0b\x0c", b"\x0a\x02\x08\x01"])
def test_a_broken_message_is_an_invalid_argument(call, message):
    assert call(PREDICT, message)[0] == CODE.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "method",
    [
        "PredictionService/MultiInference",
        "ModelService/HandleReloadConfigRequest",
        "SessionService/SessionRun",
        "ModelService/GetModelStatus/",
        "PredictionService/predict",
    ],
)
def test_no_other_method_passes(standing, call, method):
    before = len(standing[1].seen)
    assert call(method, request().SerializeToString())[0] == CODE.UNIMPLEMENTED
    assert len(standing[1].seen) == before


def test_keys_are_asked_for(call):
    body = request().SerializeToString()
    assert call(PREDICT, body, None)[0] == CODE.UNAUTHENTICATED
    other = f"Bearer {door.key('acme', 't' * 43)}"
    assert call(PREDICT, body, None, authorization=other)[0] == CODE.UNAUTHENTICATED
    assert call(PREDICT, body, None, authorization="Bearer x")[0] == CODE.UNAUTHENTICATED


def test_a_header_that_names_another_model_than_the_body_is_refused(call):
    body = request().SerializeToString()
    code, reason = call(PREDICT, body, x_berth_model="globex.churn")
    assert (code, "x-berth-model" in reason) == (CODE.INVALID_ARGUMENT, True)
    assert PredictRequest.FromString(call(PREDICT, body, x_berth_model="acme.churn"))


def test_a_body_has_its_bound(call):
    large = request(filters=["x" * (15 * 1024**2)])
    answer = call(STATUS, large.SerializeToString())
    assert PredictRequest.FromString(answer) == large, answer[:9]
    code, _ = call(PREDICT, request(filters=["x" * (17 * 1024**2)]).SerializeToString())
    assert code == CODE.RESOURCE_EXHAUSTED


def test_a_customer_has_the_rate_of_its_plan(call):
    body = request("free.slow").SerializeToString()
    found = [call(PREDICT, body, "free") for _ in range(30)]
    limited = [one for one in found if isinstance(one, tuple)]
    assert {one[0] for one in limited} == {CODE.RESOURCE_EXHAUSTED}
    assert len(limited) < 30


def test_the_filter_never_failed(standing):
    assert "filter failed" not in standing[0].log.read_text()
