"""`python -m infra.local.tfserving`: command line, start-up order and exit codes."""

import os
import sys
import threading
import traceback

import grpc

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import capi, config, engine, flags, grpc_server, http, log, manager, rest
from infra.local.tfserving.harness import Retries
from infra.local.tfserving.metrics import Metrics
from infra.local.tfserving.server_core import Options, ServerCore, poll_file
from infra.local.tfserving.status import StatusError, invalid

_FAILED = 255
# The real server binds every address. A pod of the local stack is a process on a loopback address
# of its own, which this variable names.
_HOST = os.environ.get("BERTH_POD_IP") or "127.0.0.1"


def main() -> int:
    """Serve until killed; 255 if the server could not be started."""
    threading.excepthook = _crash
    try:
        parsed = flags.parse(sys.argv[1:])
    except flags.BadFlag as error:
        sys.stdout.write(f"{error}\n{flags.usage(sys.argv[0])}")
        return _FAILED
    if parsed.on("version"):
        version = capi.library().TF_Version().decode()
        print(f"TensorFlow ModelServer: stand-in\nTensorFlow Library: {version}")
        return 0
    flags.complain_of_unknown(parsed)
    flags.say_what_is_missing(parsed)
    try:
        _serve(parsed)
    except StatusError as error:
        print(f"Failed to start server. Error: {error.status}", flush=True)
        return _FAILED
    return 0


def _crash(failed: threading.ExceptHookArgs) -> None:
    """A server without its sweep, its ticks or its poller must not look alive."""
    traceback.print_exception(failed.exc_value)
    if failed.thread and failed.thread.name in ("manager", "sweep", "poller"):
        os.abort()


def _serve(parsed: flags.Flags) -> None:
    path = parsed.text("model_config_file")
    first = _first_config(parsed)
    _check(parsed)
    monitoring = _monitoring(parsed)
    capi.library()
    metrics = Metrics()
    core = ServerCore(_options(parsed), metrics)
    core.reload(first)
    seconds = parsed.number("model_config_file_poll_wait_seconds")
    if path and seconds > 0:
        arguments = (core, path, seconds, config.read_file)
        threading.Thread(target=poll_file, args=arguments, daemon=True, name="poller").start()
    server = _open_grpc(core, metrics, parsed)
    _open_rest(core, metrics, parsed, monitoring)
    server.wait_for_termination()


def _first_config(parsed: flags.Flags) -> pb.ModelServerConfig:
    path, base = parsed.text("model_config_file"), parsed.text("model_base_path")
    if path:
        return config.read_file(path)
    if base:
        return config.single_model(parsed.text("model_name"), base)
    raise invalid(
        "Both server_options.model_base_path and server_options.model_config_file are empty!"
    )


def _check(parsed: flags.Flags) -> None:
    if parsed.text("batching_parameters_file") and not parsed.on("enable_batching"):
        raise invalid(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        )
    names = ("session", "intra_op", "inter_op")
    if all(parsed.number(f"tensorflow_{name}_parallelism") for name in names):
        raise invalid(
            "Cannot set both tensorflow_session_parallelism and tensorflow_intra_op_parallelism "
            "with tensorflow_inter_op_parallelism."
        )


def _options(parsed: flags.Flags) -> Options:
    both = parsed.number("tensorflow_session_parallelism")
    warmups = max(parsed.number("num_request_iterations_for_warmup"), 1)
    return Options(
        poll_seconds=parsed.number("file_system_poll_wait_seconds"),
        managing=manager.Options(
            load_threads=parsed.number("num_load_threads"),
            unload_threads=parsed.number("num_unload_threads"),
            retries=Retries(
                max(parsed.number("max_num_load_retries"), 0),
                parsed.number("load_retry_interval_micros"),
            ),
        ),
        labels_for_unavailable=parsed.on("allow_version_labels_for_unavailable_models"),
        tags=tuple(tag for tag in parsed.text("saved_model_tags").split(",") if tag),
        session_config=engine.session_config(
            parsed.number("tensorflow_intra_op_parallelism") or both,
            parsed.number("tensorflow_inter_op_parallelism") or both,
        ),
        warmup_iterations=warmups if parsed.on("enable_model_warmup") else 0,
    )


def _monitoring(parsed: flags.Flags) -> str | None:
    """Path of the metrics page, if the monitoring file asks for one."""
    path = parsed.text("monitoring_config_file")
    if not path:
        return None
    monitoring = pb.MonitoringConfig()
    config.read_text(path, monitoring)
    if not monitoring.prometheus_config.enable:
        return None
    return monitoring.prometheus_config.path or "/monitoring/prometheus/metrics"


def _open_grpc(core: ServerCore, metrics: Metrics, parsed: flags.Flags) -> grpc.Server:
    arguments = [
        each.split("=", 1)
        for each in parsed.text("grpc_channel_arguments").split(",")
        if "=" in each
    ]
    options = grpc_server.Options(
        address=f"{_HOST}:{parsed.number('port')}",
        threads=max(parsed.number("grpc_max_threads"), 1),
        health=parsed.on("enable_grpc_healthcheck_service"),
        channel_arguments=tuple(
            (key, int(value) if value.lstrip("-").isdigit() else value) for key, value in arguments
        ),
        tensor_content=parsed.on("enable_serialization_as_tensor_content"),
        check_methods=parsed.on("enable_signature_method_name_check"),
    )
    try:
        server = grpc_server.start(core, metrics, options)
    except RuntimeError as error:
        raise invalid("Failed to BuildAndStart gRPC server") from error
    log.info(f"Running gRPC ModelServer at {options.address} ...")
    return server


def _open_rest(
    core: ServerCore, metrics: Metrics, parsed: flags.Flags, metrics_path: str | None
) -> None:
    port = parsed.number("rest_api_port")
    if not port:
        return
    if port == parsed.number("port"):
        log.error("--rest_api_port cannot be same as --port. Please use a different port for "
                  "HTTP/REST API. Skipped exporting HTTP/REST API.")  # fmt: skip
        return
    options = rest.Options(
        timeout_ms=parsed.number("rest_api_timeout_in_ms"),
        metrics_path=metrics_path,
        cors=parsed.on("rest_api_enable_cors_support"),
        check_methods=parsed.on("enable_signature_method_name_check"),
    )
    handler = rest.Rest(core, metrics, options)
    try:
        server = http.Server(_HOST, port, parsed.number("rest_api_num_threads"), handler)
    except OSError as error:
        log.error(f"Failed to start HTTP Server at {_HOST}:{port}: {error.strerror}")
        return
    server.start()
    log.info(f"Exporting HTTP/REST API at:{_HOST}:{port} ...")


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Not sys.exit: TensorFlow's threads and its destructors are of no use any more.
    os._exit(code)
