"""What TensorFlow's own loader makes of damaged version directories, seen through GetModelStatus."""

import shutil

import grpc
import pytest

from berth.protos import tensorflow_pb2 as tf
from berth.protos import tfserving_pb2 as pb
from tests.support import model_server, models
from tests.support.model_server import config, eventually, refused

OK, NOT_FOUND, OUT_OF_RANGE, UNIMPLEMENTED, DATA_LOSS = 0, 5, 11, 12, 15


def cut(path, keep=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])


def change(path, edit):
    saved = tf.SavedModel.FromString(path.read_bytes())
    edit(saved.meta_graphs[0])
    path.write_bytes(saved.SerializeToString())


def retag(graph):
    graph.meta_info_def.tags[:] = ["serve", "gpu"]


def unregister(graph):
    node = graph.graph_def.node.add()
    node.name, node.op = "mine", "MyCustomOp"


def bundle(version):
    shutil.rmtree(version)
    version.mkdir()
    (version / "export.meta").write_bytes(b"old")


DATA = "variables.data-00000-of-00001"
# Name, source, damage to the version directory, code and part of the message.
TABLE = [
    ("no-variables", "counter", lambda v: shutil.rmtree(v / "variables"), OK, ""),
    ("no-index", "counter", lambda v: (v / "variables/variables.index").unlink(), OK, ""),
    ("no-shard", "counter", lambda v: (v / "variables" / DATA).unlink(), NOT_FOUND, DATA),
    (
        "cut-shard",
        "counter",
        lambda v: cut(v / "variables" / DATA),
        OUT_OF_RANGE,
        "Read less bytes",
    ),
    (
        "empty-shard",
        "counter",
        lambda v: cut(v / "variables" / DATA, 0),
        OUT_OF_RANGE,
        "Read less bytes",
    ),
    (
        "empty-index",
        "counter",
        lambda v: cut(v / "variables/variables.index", 0),
        DATA_LOSS,
        "file is too short to be an sstable",
    ),
    (
        "cut-index",
        "counter",
        lambda v: cut(v / "variables/variables.index", 0.6),
        DATA_LOSS,
        "sstable",
    ),
    (
        "no-graph",
        "counter",
        lambda v: (v / "saved_model.pb").unlink(),
        NOT_FOUND,
        "Specified file path does not appear to contain a SavedModel bundle (should have a file "
        "called `saved_model.pb`)\nSpecified file path: ",
    ),
    (
        "empty-graph",
        "counter",
        lambda v: cut(v / "saved_model.pb", 0),
        NOT_FOUND,
        "Could not find meta graph def matching supplied tags: { serve }.",
    ),
    ("no-asset", "lookup", lambda v: shutil.rmtree(v / "assets"), NOT_FOUND, "vocabulary.txt"),
    ("no-fingerprint", "counter", lambda v: (v / "fingerprint.pb").unlink(), OK, ""),
    (
        "other-tags",
        "counter",
        lambda v: change(v / "saved_model.pb", retag),
        NOT_FOUND,
        "Could not find meta graph def matching supplied tags: { serve }.",
    ),
    (
        "custom-op",
        "counter",
        lambda v: change(v / "saved_model.pb", unregister),
        NOT_FOUND,
        "Op type not registered 'MyCustomOp' in binary running on ",
    ),
    ("bundle", "counter", bundle, UNIMPLEMENTED, "Session Bundle is deprecated and removed."),
]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A server that was asked to load all of them at once."""
    folder = tmp_path_factory.mktemp("damaged")
    listed = []
    for name, source, damage, _, _ in TABLE:
        shutil.copytree(models.model(source), folder / name)
        damage(folder / name / "1")
        listed.append((name, folder / name))
    with model_server.ModelServer(
        folder, models=config(), num_load_threads=4, max_num_load_retries=0
    ) as server:
        server.ready()
        code, message = refused(server.reload, config(*listed))
        failures = sum(1 for row in TABLE if row[3])
        assert (code, message[:30]) == ("UNKNOWN", f"{failures} model(s) did not become ava"[:30])
        yield server


@pytest.mark.parametrize(("name", "code", "part"), [(row[0], *row[3:]) for row in TABLE])
def test_outcome(damaged, name, code, part):
    found = eventually(lambda: damaged.versions(name))[1]
    assert found.code == code, found
    assert part in found.message
    assert found.state == ("END" if code else "AVAILABLE")


@pytest.mark.parametrize("name", ["no-variables", "no-index"])
def test_available_and_yet_broken(damaged, name):
    """Loaded without its weights: it is AVAILABLE, and every request fails."""
    request = pb.PredictRequest(model_spec=pb.ModelSpec(name=name))
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.tensor_shape.dim.add(size=100)
    tensor.float_val.append(1)
    with pytest.raises(grpc.RpcError) as caught:
        damaged.call("Predict", request)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "Could not find variable w. This could mean that the variable has been deleted." in (
        caught.value.details()
    )
