"""Versions that end the process which loads them or is asked for them, and a way past admission."""

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from berth.adapters.gcs import GcsObjectStore
from berth.app import control
from berth.domain import documents, names
from berth.domain.documents import Admission, AdmittedVersion, Model, Verdict
from berth.domain.names import VersionName
from berth.protos import tensorflow_pb2 as tf
from tests.support import graph_parts, hostile_loads, models

ROW = 1 << 16  # numbers that one unit of the question makes the model fill
ENOUGH = 12288.0  # asked with that, it fills 3 GiB: more than a server's container may hold


def write(edit: Callable[[tf.MetaGraphDef], None], into: Path) -> Path:
    """A version folder of half_plus_two whose graph was edited."""
    shutil.copytree(models.model("half_plus_two") / "1", into)
    saved = tf.SavedModel.FromString((into / "saved_model.pb").read_bytes())
    edit(saved.meta_graphs[0])
    (into / "saved_model.pb").write_bytes(saved.SerializeToString())
    return into


def aborts_at_load(meta: tf.MetaGraphDef) -> None:
    """The init op runs TensorFlow's Abort: SIGABRT, as a failed CHECK anywhere in it."""
    meta.graph_def.node.add(name="end", op="Abort")
    hostile_loads.on_init(meta, "end")


def eats_memory_at_load(meta: tf.MetaGraphDef) -> None:
    """The init op fills 3 GiB."""
    graph_parts.fill(meta, int(ENOUGH) * ROW)
    hostile_loads.on_init(meta, "sum")


def eats_memory_when_asked(meta: tf.MetaGraphDef) -> None:
    """It fills as many rows as the question says, and answers as before: what is asked decides."""
    node = meta.graph_def.node
    graph_parts.integers(meta, "row", [ROW])
    graph_parts.integers(meta, "first", [0])
    graph_parts.integers(meta, "both", [0, 1])
    for name, value in (("one", 1.0), ("nothing", 0.0)):
        constant = node.add(name=name, op="Const")
        constant.attr["dtype"].type = graph_parts.FLOAT
        constant.attr["value"].tensor.dtype = graph_parts.FLOAT
        constant.attr["value"].tensor.tensor_shape.SetInParent()
        constant.attr["value"].tensor.float_val.append(value)
    for name, op, inputs in (
        ("whole", "Cast", ["serving_default_x"]),
        ("most", "Max", ["whole", "first"]),
        ("shape", "Pack", ["row", "most"]),
        ("filled", "Fill", ["shape", "one"]),
        ("total", "Sum", ["filled", "both"]),
        ("none", "Minimum", ["total", "nothing"]),
        ("answer", "AddV2", ["StatefulPartitionedCall", "none"]),
    ):
        made = node.add(name=name, op=op, input=inputs)
        made.attr["T"].type = graph_parts.FLOAT
    by_name = {one.name: one for one in node}
    del by_name["whole"].attr["T"]
    by_name["whole"].attr["SrcT"].type = graph_parts.FLOAT
    by_name["whole"].attr["DstT"].type = graph_parts.INT32
    for name in ("most", "shape"):
        by_name[name].attr["T"].type = graph_parts.INT32
    by_name["shape"].attr["N"].i = 2
    by_name["filled"].attr["index_type"].type = graph_parts.INT32
    for name in ("most", "total"):
        by_name[name].attr["Tidx"].type = graph_parts.INT32
    meta.signature_def["serving_default"].outputs["y"].name = "answer:0"


def slip_in(fleet, folder: Path, servable: str, number: int) -> None:
    """Put a version where a fault of admission would have let it: bytes, admission, model's document.

    Documents are written as Berth writes them. What follows is Berth's own, from the next tick on.
    """
    store = GcsObjectStore(fleet.storage, fleet.control.name)
    name = names.servable(servable)
    model = control.read(store, documents.model_name(name), Model).document
    bucket = fleet.storage.bucket(fleet.environment["BERTH_MODELS_BUCKET"])
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == "saved_model.pb"):
        place = f"{model.base_path}/{number}/{path.relative_to(folder).as_posix()}"
        bucket.blob(place).upload_from_filename(str(path))
    now = datetime.now(UTC).isoformat()
    version = AdmittedVersion(
        digest=hashlib.sha256((folder / "saved_model.pb").read_bytes()).hexdigest(),
        footprint=model.versions[max(model.versions)].footprint,
        admitted_at=now,
        uploaded_at=now,
        bytes=sum(path.stat().st_size for path in files),
    )
    admission = Admission(
        digest=version.digest,
        promoting=version.digest,
        uploaded_at=now,
        verdict=Verdict(state="ADMITTED", reason="", at=now),
        footprint=version.footprint,
    )
    place = documents.admission_name(VersionName(name, number))
    control.write(store, place, admission, if_generation=0)

    def edit(known: Model) -> Model:
        return known.model_copy(update={"versions": {**known.versions, number: version}})

    control.change(store, documents.model_name(name), Model, edit)
