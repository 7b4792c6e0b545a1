"""saved_model.pb as untrusted bytes: what it declares, what files it needs, what it offers."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

from berth.domain import manifest as manifests
from berth.domain import op_policy, wire
from berth.domain.errors import InvalidModel
from berth.domain.manifest import Manifest
from berth.domain.probing import SignatureSummary, TensorSummary
from berth.domain.tensor_bundle import Bundle
from berth.protos import tensorflow_pb2 as tf

_TAGS = {"serve"}
_MAX_SIGNATURES = 100
_MAX_TENSORS = 1000
# Of the names of signatures and tensors, and of their dimensions together: the report carries them all.
_MAX_KEY = 256
_MAX_DIMENSIONS = 20_000
_MAX_RANK = 254
# A message of two bytes takes some ninety in memory; so few bytes may be parsed uncounted.
_UNCOUNTED = 4 << 20
_MAX_MESSAGES = 5_000_000
_VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable"})


@dataclass(frozen=True, slots=True)
class Needs:
    """What the rest of the version must hold. `assets` are file names under assets/."""

    assets: tuple[str, ...]
    variables: bool


def parse(data: bytes, *, max_bytes: int) -> tf.MetaGraphDef:
    """Return the MetaGraph that TF Serving will load: the one whose tags are exactly {serve}.

    Raises InvalidModel. Depth is bounded by protobuf's own recursion limit.
    """
    if not data:
        raise InvalidModel("saved_model.pb is empty")
    if len(data) > max_bytes:
        raise InvalidModel(f"saved_model.pb has {len(data)} bytes, at most {max_bytes} are read")
    if len(data) > _UNCOUNTED:
        wire.bound(data, cast(Descriptor, tf.SavedModel.DESCRIPTOR), limit=_MAX_MESSAGES)
    try:
        model = tf.SavedModel.FromString(data)
    except DecodeError as error:
        raise InvalidModel(
            "saved_model.pb does not parse: it is cut short, nested too deeply or no SavedModel"
        ) from error
    serving = [meta for meta in model.meta_graphs if set(meta.meta_info_def.tags) == _TAGS]
    if len(serving) == 1:
        return serving[0]
    tags = [sorted(meta.meta_info_def.tags) for meta in model.meta_graphs[:10]]
    count = len(serving) or "no"
    raise InvalidModel(
        f"{count} graph is tagged exactly 'serve', one must be; saved_model.pb has {str(tags)[:500]}"
    )


def needs(meta: tf.MetaGraphDef) -> Needs:
    """Return the files the graph refers to. Raises InvalidModel for names that leave assets/."""
    names = tuple(sorted({asset.filename for asset in op_policy.assets(meta)}))
    for name in names:
        if not manifests.is_name(name):
            raise InvalidModel(f"the asset name {name[:200]!r} is not allowed")
    return Needs(assets=names, variables=_restores(meta))


def signatures(meta: tf.MetaGraphDef) -> dict[str, SignatureSummary]:
    """Return what can be called, without the init signature. Raises InvalidModel if nothing."""
    names = sorted(name for name in meta.signature_def if not name.startswith("__"))
    if not names:
        raise InvalidModel("the model has no signature that can be called")
    if len(names) > _MAX_SIGNATURES:
        raise InvalidModel(f"the model has {len(names)} signatures, at most {_MAX_SIGNATURES}")
    found = {name: _summary(name, meta.signature_def[name]) for name in names}
    tensors = [t for one in found.values() for t in (*one.inputs.values(), *one.outputs.values())]
    if sum(1 + len(tensor.shape or ()) for tensor in tensors) > _MAX_DIMENSIONS:
        raise InvalidModel("the model's signatures have too many tensors and dimensions in all")
    return found


def check_constants(meta: tf.MetaGraphDef, *, max_bytes: int) -> None:
    """Raise InvalidModel when a constant, which may be written in few bytes, would fill more memory."""
    functions = (function.node_def for function in meta.graph_def.library.function)
    for node in itertools.chain(meta.graph_def.node, *functions):
        if node.op == "Const" and "value" in node.attr:
            sizes = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
            if math.prod(sizes[:_MAX_RANK]) > max_bytes:
                raise InvalidModel(f"the constant {node.name[:120]!r} has the shape {sizes[:8]}")


def missing(files: Needs, bundle: Bundle | None, there: Manifest) -> tuple[str, ...]:
    """Return what is not there yet, each with its reason; a file that is too short counts.

    A data shard that is longer than its index says raises InvalidModel: more bytes cannot mend it.
    """
    sizes = {file.name: file.size for file in there.files}
    lacking = [f"assets/{name}" for name in files.assets if f"assets/{name}" not in sizes]
    if bundle is None:
        return (*lacking, manifests.INDEX) if files.variables else tuple(lacking)
    for name, size in bundle.files().items():
        if name not in sizes:
            lacking.append(name)
        elif sizes[name] < size:
            lacking.append(f"{name} ({sizes[name]} of {size} bytes)")
        elif sizes[name] > size:
            raise InvalidModel(f"{name} has {sizes[name]} bytes, its index says {size}")
    return tuple(lacking)


def _restores(meta: tf.MetaGraphDef) -> bool:
    if not meta.saver_def.restore_op_name:
        return False
    return any(node.op in _VARIABLE_OPS for node in meta.graph_def.node)


def _summary(name: str, signature: tf.SignatureDef) -> SignatureSummary:
    if len(signature.inputs) > _MAX_TENSORS or not 1 <= len(signature.outputs) <= _MAX_TENSORS:
        raise InvalidModel(f"the signature {name[:120]!r} has no outputs or too many tensors")
    if any(len(key) > _MAX_KEY for key in (name, *signature.inputs, *signature.outputs)):
        raise InvalidModel(f"the signature {name[:120]!r} has a name of over {_MAX_KEY} characters")
    return SignatureSummary(
        method=signature.method_name[:200],
        inputs=_tensors(signature.inputs),
        outputs=_tensors(signature.outputs),
    )


def _tensors(tensors: Mapping[str, tf.TensorInfo]) -> dict[str, TensorSummary]:
    return {
        key: TensorSummary(dtype=info.dtype, shape=_shape(info.tensor_shape))
        for key, info in sorted(tensors.items())
    }


def _shape(shape: tf.TensorShape) -> tuple[int, ...] | None:
    if shape.unknown_rank:
        return None
    if len(shape.dim) > _MAX_RANK:
        raise InvalidModel(f"a signature's tensor has {len(shape.dim)} dimensions")
    return tuple(dim.size for dim in shape.dim)
