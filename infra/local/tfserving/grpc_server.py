"""The gRPC services, under their real names, and health if the flag asks for it."""

import time
from collections.abc import Callable
from concurrent import futures
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.message import Message

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import engine, log, model_info, predict, tensors
from infra.local.tfserving.metrics import Metrics
from infra.local.tfserving.server_core import ServerCore
from infra.local.tfserving.status import Code, Status, StatusError

_Request = TypeVar("_Request", bound=Message)
_LONGEST_MESSAGE = 1024
_CODES = {each.value[0]: each for each in grpc.StatusCode}


class Options(NamedTuple):
    """What the flags say about gRPC."""

    address: str
    threads: int
    health: bool
    channel_arguments: tuple[tuple[str, Any], ...]
    tensor_content: bool
    check_methods: bool


class PredictionService:
    """tensorflow.serving.PredictionService."""

    def __init__(self, core: ServerCore, metrics: Metrics, options: Options) -> None:
        """Serve what `core` has."""
        self._core = core
        self._metrics = metrics
        self._options = options

    def predict(
        self, request: pb.PredictRequest, context: grpc.ServicerContext
    ) -> pb.PredictResponse:
        """Predict; the client's deadline limits the session's run."""
        started, code = time.perf_counter(), Code.OK
        try:
            response = self._predict(request, context.time_remaining())
        except StatusError as error:
            code = error.status.code
            raise
        finally:
            self._metrics.request(request.model_spec.name, code.name)
        micros = (time.perf_counter() - started) * 1e6
        self._metrics.latency(request.model_spec.name, "Predict", "GRPC", micros)
        return response

    def _predict(self, request: pb.PredictRequest, remaining: float | None) -> pb.PredictResponse:
        if not request.HasField("model_spec"):
            raise StatusError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        response = pb.PredictResponse()
        with self._core.servable(request.model_spec) as bundle:
            assert isinstance(bundle.session, engine.Session)
            name = request.model_spec.signature_name or predict.DEFAULT_SIGNATURE
            definition = predict.signature(bundle.session, name)
            if self._options.check_methods:
                predict.check_method(definition)
            timeout_ms = 0 if remaining is None else max(int(remaining * 1000), 1)
            running = time.perf_counter()
            asked = predict.from_request(request)
            outputs = predict.run(bundle.session, definition, asked, timeout_ms)
            self._metrics.runtime(bundle.name, (time.perf_counter() - running) * 1e6)
            response.model_spec.name = bundle.name
            response.model_spec.signature_name = name
            response.model_spec.version.value = bundle.version
        for alias, tensor in outputs.items():
            into = response.outputs[alias]
            tensors.to_proto(tensor, as_content=self._options.tensor_content, proto=into)
        return response

    def metadata(
        self, request: pb.GetModelMetadataRequest, _: grpc.ServicerContext
    ) -> pb.GetModelMetadataResponse:
        """GetModelMetadata."""
        return model_info.model_metadata(self._core, request)


class ModelService:
    """tensorflow.serving.ModelService."""

    def __init__(self, core: ServerCore, metrics: Metrics) -> None:
        """Serve what `core` has."""
        self._core = core
        self._metrics = metrics

    def status(
        self, request: pb.GetModelStatusRequest, _: grpc.ServicerContext
    ) -> pb.GetModelStatusResponse:
        """GetModelStatus."""
        return model_info.model_status(self._core, request)

    def reload(
        self, request: pb.ReloadConfigRequest, _: grpc.ServicerContext
    ) -> pb.ReloadConfigResponse:
        """HandleReloadConfigRequest; it goes on even if the client has gone away."""
        if request.config.WhichOneof("config") != "model_config_list":
            raise StatusError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported",
            )
        before = {name: self._metrics.value(name) for name in request.metric_names}
        try:
            self._core.reload(request.config)
        except StatusError as error:
            log.error(f"ReloadConfig failed: {error.status.message}")
            raise
        response = pb.ReloadConfigResponse()
        response.status.SetInParent()
        for name, value in before.items():
            if value is None and self._metrics.value(name) is None:
                log.say(f"metric {name} is not one this stand-in counts")
            increase = (self._metrics.value(name) or 0) - (value or 0)
            response.metric.add(name=name, int64_value_increase=increase)
        return response


def shortened(status: Status) -> str:
    """The message, cut as the real server cuts it."""
    if len(status.message) <= _LONGEST_MESSAGE:
        return status.message
    return status.message[:_LONGEST_MESSAGE] + "...TRUNCATED"


def start(core: ServerCore, metrics: Metrics, options: Options) -> grpc.Server:
    """Open the port. Raises RuntimeError if it cannot be bound."""
    server = grpc.server(
        futures.ThreadPoolExecutor(options.threads, "grpc"),
        options=(
            ("grpc.max_receive_message_length", 2**31 - 1),
            ("grpc.max_send_message_length", 2**31 - 1),
            *options.channel_arguments,
        ),
    )
    server.add_generic_rpc_handlers(
        (
            _prediction(PredictionService(core, metrics, options)),
            _models(ModelService(core, metrics)),
        )
    )
    if options.health:
        _add_health(server)
    server.add_insecure_port(options.address)
    server.start()
    return server


def _prediction(service: PredictionService) -> Any:  # noqa: ANN401 - grpc's handlers have no useful type
    methods = {
        "Predict": _unary(service.predict, pb.PredictRequest),
        "GetModelMetadata": _unary(service.metadata, pb.GetModelMetadataRequest),
    }
    for name in ("Classify", "Regress", "MultiInference"):
        methods[name] = grpc.unary_unary_rpc_method_handler(_missing(name))
    return grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", methods)


def _models(service: ModelService) -> Any:  # noqa: ANN401 - grpc's handlers have no useful type
    methods = {
        "GetModelStatus": _unary(service.status, pb.GetModelStatusRequest),
        "HandleReloadConfigRequest": _unary(service.reload, pb.ReloadConfigRequest),
    }
    return grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", methods)


def _unary(
    method: Callable[[_Request, grpc.ServicerContext], Message], request_type: type[_Request]
) -> Any:  # noqa: ANN401 - grpc's handlers have no useful type
    def call(request: _Request, context: grpc.ServicerContext) -> Message | None:
        try:
            return method(request, context)
        except StatusError as error:
            context.set_code(_CODES[error.status.code])
            context.set_details(shortened(error.status))
            return None

    return grpc.unary_unary_rpc_method_handler(
        call,
        request_deserializer=request_type.FromString,
        response_serializer=lambda answer: answer.SerializeToString() if answer else b"",
    )


def _missing(name: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def call(_: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details(f"{name} is not implemented by this stand-in")
        return b""

    return call


def _add_health(server: grpc.Server) -> None:
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    servicer = health.HealthServicer()
    # Set once when the port opens, and never changed.
    for name in ("ModelService", "PredictionService"):
        servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
