"""GetModelStatus and GetModelMetadata, by gRPC and by REST, health and metrics."""

import pytest
from grpc_health.v1 import health_pb2

from berth.protos import tfserving_pb2 as pb
from tests.contract.tfserving.conftest import put
from tests.support import models
from tests.support.model_server import GONE, config, refused

HALF = models.model("half_plus_two")


def status(server, **spec):
    request = pb.GetModelStatusRequest(model_spec=pb.ModelSpec(**spec))
    return server.call("GetModelStatus", request)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (pb.GetModelStatusRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            pb.GetModelStatusRequest(model_spec=pb.ModelSpec()),
            "NOT_FOUND",
            "Could not find any versions of model ",
        ),
        (
            pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name="nobody")),
            "NOT_FOUND",
            "Could not find any versions of model nobody",
        ),
        (
            pb.GetModelStatusRequest(model_spec=pb.ModelSpec(name="echo", version={"value": 9})),
            "NOT_FOUND",
            "Could not find version 9 of model echo",
        ),
    ],
)
def test_status_refusals(standard, request_, code, message):
    assert refused(standard.call, "GetModelStatus", request_) == (code, message)


def test_versions_are_descending_ended_ones_stay_and_labels_are_ignored(empty, model):
    base = model("history", {1: "half_plus_two"})
    empty.reload(config(("history", base)))
    put(base, 2, "half_plus_three")
    empty.wait_for("history", 1, GONE)
    put(base, 10, "half_plus_two")
    empty.wait_for("history", 2, GONE)
    empty.reload(config())
    empty.wait_for("history", 10, GONE)
    assert list(empty.versions("history").items()) == [(10, GONE), (2, GONE), (1, GONE)]
    assert len(status(empty, name="history", version_label="any").model_version_status) == 3
    one = status(empty, name="history", version={"value": 2}).model_version_status
    assert [each.version for each in one] == [2]


def test_status_by_rest(standard):
    answer = standard.rest("GET", "/v1/models/half_plus_two")
    assert answer.code == 200
    assert answer.headers["Content-Type"] == "application/json"
    expected = {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert answer.json() == expected
    assert standard.rest("GET", "/v1/models/half_plus_two/versions/1").json() == expected
    assert standard.rest("GET", "/v1/models/half_plus_two/labels/none").json() == expected
    assert standard.rest("GET", "/V1/Models/half%5Fplus%5Ftwo").json() == expected


def metadata(**spec):
    fields = spec.pop("fields", ["signature_def"])
    return pb.GetModelMetadataRequest(model_spec=pb.ModelSpec(**spec), metadata_field=fields)


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (pb.GetModelMetadataRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            metadata(name="echo", fields=[]),
            "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            metadata(name="echo", fields=["signature_def", "size"]),
            "INVALID_ARGUMENT",
            "Metadata field size is not supported",
        ),
        (metadata(name="x"), "NOT_FOUND", "Servable not found for request: Latest(x)"),
        (
            metadata(name="echo", version={"value": 3}),
            "NOT_FOUND",
            "Servable not found for request: Specific(echo, 3)",
        ),
        (
            metadata(name="echo", version_label="l"),
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: l",
        ),
    ],
)
def test_metadata_refusals(standard, request_, code, message):
    assert refused(standard.call, "GetModelMetadata", request_) == (code, message)


def test_metadata(standard):
    answer = standard.call("GetModelMetadata", metadata(name="labelled", version_label="stable"))
    assert answer.model_spec == pb.ModelSpec(name="labelled", version={"value": 1})
    packed = answer.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = pb.SignatureDefMap.FromString(packed.value).signature_def
    assert set(signatures) == {"serving_default", "__saved_model_init_op"}
    default = signatures["serving_default"]
    assert default.method_name == "tensorflow/serving/predict"
    assert default.inputs["x"].dtype == 1
    assert [dim.size for dim in default.outputs["y"].tensor_shape.dim] == [-1]


def test_metadata_by_rest(standard):
    answer = standard.rest("GET", "/v1/models/matmul/metadata").json()
    assert answer["model_spec"] == {"name": "matmul", "signature_name": "", "version": "1"}
    default = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    unknown = {"dim": [{"size": "-1", "name": ""}] * 2, "unknown_rank": False}
    assert default["inputs"]["a"] == {
        "name": "serving_default_a:0",
        "dtype": "DT_FLOAT",
        "tensor_shape": unknown,
    }


def test_health_is_served_with_the_flag(standard, empty):
    def check(server, service):
        stub = server.stub_of("grpc.health.v1.Health", "Check", health_pb2.HealthCheckResponse)
        return stub(health_pb2.HealthCheckRequest(service=service), timeout=5)

    for service in ("", "ModelService", "PredictionService"):
        assert check(standard, service).status == health_pb2.HealthCheckResponse.SERVING
    assert refused(check, standard, "other")[0] == "NOT_FOUND"
    assert refused(check, empty, "")[0] == "UNIMPLEMENTED"


def test_metrics(standard, empty):
    assert standard.predict("half_plus_three", {"instances": [1]}).code == 200
    assert standard.predict("half_plus_three", {"instances": ["x"]}).code == 400
    page = standard.rest("GET", "/monitoring/prometheus/metrics")
    assert page.headers["Content-Type"].startswith("text/plain")
    lines = dict(line.rsplit(" ", 1) for line in page.body.decode().splitlines() if line[0] == ":")
    count = ':tensorflow:serving:request_count{model_name="half_plus_three",status="%s"}'
    assert lines[count % "OK"] == "1"
    assert lines[count % "INVALID_ARGUMENT"] == "1"
    latency = 'model_name="half_plus_three",API="predict",entrypoint="REST"'
    assert lines[f":tensorflow:serving:request_latency_count{{{latency}}}"] == "1"
    path = models.model("half_plus_three") / "1"
    loads = f'load_attempt_count{{model_path="{path}",status="success"}}'
    assert lines[f":tensorflow:cc:saved_model:{loads}"] == "1"
    assert empty.rest("GET", "/monitoring/prometheus/metrics").code == 404
