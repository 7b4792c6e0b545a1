"""ModelService of TensorFlow Serving's pods, over gRPC and by full method names."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import text_format

from berth import ports
from berth.domain.errors import Unavailable
from berth.protos import tfserving_pb2

STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
CHANNELS = 512
IN_FLIGHT = 64
# The server answers a reload that it refused, or whose models failed, with these codes. Any other
# code says nothing of the config: the end was not seen.
ANSWERS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DATA_LOSS,
    }
)
OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A pod's address may be another process a moment later: no back-off from before.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


class GrpcModelServers:
    """The pods' servers. May be used by many threads; channels are kept, the least used closed."""

    def __init__(self, port: int = 8500, *, channels: int = CHANNELS) -> None:
        """Take the port that every pod serves on; an address with its own port keeps that."""
        self._port = port
        self._limit = channels
        self._channels: OrderedDict[str, grpc.Channel] = OrderedDict()
        self._lock = threading.Lock()

    def statuses(
        self, address: str, names: Sequence[str], *, timeout: float
    ) -> Mapping[str, Mapping[int, ports.VersionStatus]]:
        """Ask for all names at once, at most IN_FLIGHT in flight."""
        call = self._channel(address).unary_unary(
            STATUS,
            request_serializer=tfserving_pb2.GetModelStatusRequest.SerializeToString,
            response_deserializer=tfserving_pb2.GetModelStatusResponse.FromString,
        )
        deadline = time.monotonic() + timeout
        found: dict[str, Mapping[int, ports.VersionStatus]] = {}
        with _translated(f"statuses of {address}"):
            for start in range(0, len(names), IN_FLIGHT):
                asked = names[start : start + IN_FLIGHT]
                left = max(0.001, deadline - time.monotonic())
                futures: list[Any] = [call.future(_question(name), timeout=left) for name in asked]
                try:
                    for name, future in zip(asked, futures, strict=True):
                        found[name] = _answer(future)
                finally:
                    for future in futures:
                        future.cancel()
        return found

    def reload(self, address: str, config: str, *, timeout: float) -> str:
        """Push one config and wait for its end."""
        wanted = text_format.Parse(config, tfserving_pb2.ModelServerConfig())
        call = self._channel(address).unary_unary(
            RELOAD,
            request_serializer=tfserving_pb2.ReloadConfigRequest.SerializeToString,
            response_deserializer=tfserving_pb2.ReloadConfigResponse.FromString,
        )
        with _translated(f"reload of {address}"):
            try:
                reply = call(tfserving_pb2.ReloadConfigRequest(config=wanted), timeout=timeout)
            except grpc.RpcError as error:
                if error.code() not in ANSWERS:
                    raise
                return error.details() or error.code().name
        return reply.status.error_message if reply.status.error_code else ""

    def close(self) -> None:
        """Close all channels."""
        with self._lock:
            while self._channels:
                self._channels.popitem()[1].close()

    def _channel(self, address: str) -> grpc.Channel:
        with self._lock:
            channel = self._channels.get(address)
            if channel is None:
                target = address if ":" in address else f"{address}:{self._port}"
                channel = grpc.insecure_channel(target, options=OPTIONS)
                self._channels[address] = channel
            self._channels.move_to_end(address)
            if len(self._channels) > self._limit:
                self._channels.popitem(last=False)[1].close()
            return channel


def _question(name: str) -> tfserving_pb2.GetModelStatusRequest:
    return tfserving_pb2.GetModelStatusRequest(model_spec=tfserving_pb2.ModelSpec(name=name))


def _answer(
    future: "grpc.Future[tfserving_pb2.GetModelStatusResponse]",
) -> Mapping[int, ports.VersionStatus]:
    try:
        reply = future.result()
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return {}
        raise
    return {
        status.version: ports.VersionStatus(
            state=tfserving_pb2.ModelVersionStatus.State.Name(status.state),
            code=status.status.error_code,
            message=status.status.error_message,
        )
        for status in reply.model_version_status
    }


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Every failure that is no answer of the server is the same to Berth: it is not known."""
    try:
        yield
    except (grpc.RpcError, grpc.FutureCancelledError, grpc.FutureTimeoutError) as error:
        code = error.code().name if isinstance(error, grpc.Call) else type(error).__name__
        details = error.details() if isinstance(error, grpc.Call) else ""
        raise Unavailable(f"{what}: {code} {(details or '')[:200]}") from error
    except ValueError as error:
        # A channel that was closed under the call: another thread evicted it.
        raise Unavailable(f"{what}: {error}") from error
