"""Predict: from named tensors and a signature to named tensors, with the real server's checks."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from berth.protos import tensorflow_pb2 as tf
from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import engine, tensors
from infra.local.tfserving.status import Code, StatusError, invalid

DEFAULT_SIGNATURE = "serving_default"
METHODS = (
    "tensorflow/serving/predict",
    "tensorflow/serving/classify",
    "tensorflow/serving/regress",
)


class Request(NamedTuple):
    """Inputs by alias, as messages or already as tensors, and the outputs wanted (none: all)."""

    inputs: Mapping[str, tf.Tensor | tensors.Tensor]
    output_filter: tuple[str, ...] = ()


def from_request(request: pb.PredictRequest) -> Request:
    """The part of a gRPC request that is about tensors."""
    return Request(dict(request.inputs.items()), tuple(request.output_filter))


def signature(session: engine.Session, name: str) -> tf.SignatureDef:
    """The signature of that name, or the default one. Raises StatusError FAILED_PRECONDITION."""
    wanted = name or DEFAULT_SIGNATURE
    found = session.signatures.get(wanted)
    if found is None:
        message = f'Serving signature key "{wanted}" not found.'
        raise StatusError(Code.FAILED_PRECONDITION, message)
    return found


def check_method(definition: tf.SignatureDef) -> None:
    """--enable_signature_method_name_check. Raises StatusError INTERNAL."""
    if definition.method_name not in METHODS:
        raise StatusError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(METHODS)}}}. Was: {definition.method_name}",
        )


def run(
    session: engine.Session, definition: tf.SignatureDef, request: Request, timeout_ms: int
) -> dict[str, tensors.Tensor]:
    """Check, run and name the outputs. Raises StatusError."""
    _check_size(definition, request.inputs)
    feeds = _feeds(definition, request.inputs)
    aliases = _outputs(definition, request.output_filter)
    names = [definition.outputs[alias].name for alias in aliases]
    results = session.run(feeds, names, timeout_ms)
    return dict(zip(aliases, results, strict=True))


def _check_size(definition: tf.SignatureDef, inputs: Collection[str]) -> None:
    expected = definition.inputs
    short = len(inputs) < len(expected) and not definition.defaults
    if len(inputs) <= len(expected) and not short:
        return
    extra = set(inputs) - set(expected)
    missing = set(expected) - set(inputs)
    raise invalid(
        f"input size does not match signature: {len(inputs)}!={len(expected)} "
        f"len({_set(inputs)}) != len({_set(expected)}). Sent extra: {_set(extra)}. "
        f"Missing but required: {_set(missing)}."
    )


def _feeds(
    definition: tf.SignatureDef, inputs: Mapping[str, tf.Tensor | tensors.Tensor]
) -> list[tuple[str, tensors.Tensor]]:
    feeds, used = [], set()
    for alias, info in sorted(definition.inputs.items()):
        if alias in inputs:
            given: tf.Tensor | tensors.Tensor = inputs[alias]
            used.add(alias)
        elif alias in definition.defaults:
            given = definition.defaults[alias]
        else:
            raise invalid(
                f"Signature input alias: {alias}(feed name: {info.name}) not found in request and "
                f"no default value provided. Inputs expected to be in the request {_set(inputs)}, "
                f"or default input alias set: {','.join(sorted(definition.defaults))}"
            )
        feeds.append((info.name, _decoded(alias, given)))
    if inputs and len(used) != len(inputs):
        raise invalid(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(used))}, "
            f"request input: {','.join(sorted(inputs))}"
        )
    return feeds


def _decoded(alias: str, given: tf.Tensor | tensors.Tensor) -> tensors.Tensor:
    try:
        if not isinstance(given, tensors.Tensor):
            return tensors.from_proto(given)
        if tensors.possible(given.shape):
            return given
        raise ValueError("no tensor has this shape")
    except (ValueError, MemoryError) as error:
        raise invalid(f"tensor parsing error: {alias}") from error


def _outputs(definition: tf.SignatureDef, wanted: tuple[str, ...]) -> list[str]:
    seen: list[str] = []
    for alias in wanted:
        if alias not in definition.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {_set(definition.outputs)}."
            )
        if alias in seen:
            raise invalid(f"duplicate output tensor alias: {alias}")
        seen.append(alias)
    return seen or sorted(definition.outputs)


def _set(names: Collection[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"
