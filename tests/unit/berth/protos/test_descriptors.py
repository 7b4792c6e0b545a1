"""Every field of the slim messages against the official ones: number, label and wire type."""

import json
import subprocess
import sys

import pytest
from google.protobuf.descriptor import FieldDescriptor as Field

from berth.protos import tensorflow_pb2, tfserving_pb2

# Run in a process of its own: the official modules are found without running TensorFlow's own
# __init__, which would cost seconds and half a gigabyte.
OFFICIAL = """
import importlib, importlib.machinery, json, sys, types
spec = importlib.machinery.PathFinder.find_spec("tensorflow")
for name, path in (("tensorflow", ""), ("tensorflow.core", "/core")):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [spec.submodule_search_locations[0] + path]
from google.protobuf import descriptor_pool
for name in ("framework.function", "protobuf.saved_model", "protobuf.fingerprint",
             "protobuf.tensor_bundle"):
    importlib.import_module(f"tensorflow.core.{name}_pb2")
pool = descriptor_pool.Default()
found = {}
for name in json.loads(sys.argv[1]):
    message = pool.FindMessageTypeByName(name)
    found[name] = {field.name: [field.number, field.type, field.is_repeated,
                   field.message_type and field.message_type.full_name]
                   for field in message.fields}
print(json.dumps(found))
"""
RENAMED = {
    "TensorShape": "TensorShapeProto",
    "Tensor": "TensorProto",
    "FingerprintDef": "FingerprintDef",
    "BundleHeader": "BundleHeaderProto",
    "BundleEntry": "BundleEntryProto",
}
# Enumerations are plain numbers here; on the wire they are the same varint.
SAME_ON_THE_WIRE = {Field.TYPE_ENUM: Field.TYPE_INT32}


def all_messages(messages):
    for message in messages:
        yield message
        yield from all_messages(message.nested_types)


def official(full_name):
    if not full_name.startswith("berth."):
        return full_name
    first, *rest = full_name.removeprefix("berth.tensorflow.").split(".")
    return ".".join(("tensorflow", RENAMED.get(first, first), *rest))


SLIM = {
    official(each.full_name): each
    for each in all_messages(tensorflow_pb2.DESCRIPTOR.message_types_by_name.values())
}


@pytest.fixture(scope="module")
def descriptors():
    done = subprocess.run(
        [sys.executable, "-c", OFFICIAL, json.dumps(list(SLIM))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", SLIM)
def test_tensorflow(descriptors, name):
    real = descriptors[name]
    for field in SLIM[name].fields:
        number, kind, repeated, message = real[field.name]
        assert (field.number, field.is_repeated) == (number, repeated), field.name
        assert field.type == SAME_ON_THE_WIRE.get(kind, kind), field.name
        if message:
            assert official(field.message_type.full_name) == message, field.name


# tensorflow-serving-api is not installed, as it would bring a second TensorFlow: the numbers of
# its published .proto files, written out.
SERVING = {
    "ServableVersionPolicy": {"latest": 100, "all": 101, "specific": 102},
    "ServableVersionPolicy.Latest": {"num_versions": 1},
    "ServableVersionPolicy.All": {},
    "ServableVersionPolicy.Specific": {"versions": 1},
    "ModelConfig": {
        "name": 1,
        "base_path": 2,
        "model_type": 3,
        "model_platform": 4,
        "logging_config": 6,
        "model_version_policy": 7,
        "version_labels": 8,
    },
    "LoggingConfig": {"log_collector_config": 1, "sampling_config": 2},
    "LogCollectorConfig": {"type": 1, "filename_prefix": 2},
    "SamplingConfig": {"sampling_rate": 1},
    "ModelConfigList": {"config": 1},
    "ModelServerConfig": {"model_config_list": 1, "custom_model_config": 2},
    "ModelSpec": {"name": 1, "version": 2, "signature_name": 3, "version_label": 4},
    "PredictRequest": {"model_spec": 1, "inputs": 2, "output_filter": 3},
    "PredictResponse": {"outputs": 1, "model_spec": 2},
    "GetModelMetadataRequest": {"model_spec": 1, "metadata_field": 2},
    "GetModelMetadataResponse": {"model_spec": 1, "metadata": 2},
    "SignatureDefMap": {"signature_def": 1},
    "Status": {"error_code": 1, "error_message": 2},
    "GetModelStatusRequest": {"model_spec": 1},
    "ModelVersionStatus": {"version": 1, "state": 2, "status": 3},
    "GetModelStatusResponse": {"model_version_status": 1},
    "ReloadConfigRequest": {"config": 1, "metric_names": 2},
    "Metric": {"name": 1, "int64_value_increase": 2},
    "ReloadConfigResponse": {"status": 1, "metric": 2},
    "PrometheusConfig": {"enable": 1, "path": 2},
    "MonitoringConfig": {"prometheus_config": 1},
    "PredictLog": {"request": 1, "response": 2},
    "PredictionLog": {"predict_log": 6},
}


def test_serving():
    slim = {
        each.full_name.removeprefix("berth.tfserving."): {
            field.name: field.number for field in each.fields
        }
        for each in all_messages(tfserving_pb2.DESCRIPTOR.message_types_by_name.values())
        if not each.GetOptions().map_entry
    }
    assert slim == SERVING


def test_states():
    assert dict(tfserving_pb2.ModelVersionStatus.State.items()) == {
        "UNKNOWN": 0,
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    }
