"""The REST API: /v1/models/... and the metrics page, with the real server's patterns and errors."""

import re
import time
import urllib.parse
from typing import NamedTuple

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import engine, json_input, json_output, log, model_info, predict
from infra.local.tfserving.http import Request, Response
from infra.local.tfserving.metrics import Metrics
from infra.local.tfserving.server_core import ServerCore
from infra.local.tfserving.status import Code, StatusError, invalid

_ANY = re.compile(r"/v1/.*", re.IGNORECASE | re.ASCII | re.DOTALL)
_PREDICTION = re.compile(
    r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?:(classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:\/(metadata))?",
    re.IGNORECASE | re.ASCII,
)
_HTTP_CODES = {
    Code.OK: 200,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INTERNAL: 500,
    Code.DATA_LOSS: 500,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
_NOT_FOUND = b"<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD><BODY>Not Found</BODY></HTML>\n"
_CORS = (
    "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, GET\r\n"
    "Access-Control-Allow-Headers: Content-Type\r\n"
)


class Options(NamedTuple):
    """What the flags say about REST; no `metrics_path`, no metrics."""

    timeout_ms: int
    metrics_path: str | None
    cors: bool
    check_methods: bool


class EmptyAnswer(Exception):
    """The one refusal whose body the real server forgets: a version number beyond int64."""


class Rest:
    """Answers requests; the handler of the HTTP server."""

    def __init__(self, core: ServerCore, metrics: Metrics, options: Options) -> None:
        """Serve what `core` has."""
        self._core = core
        self._metrics = metrics
        self._options = options

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if self._options.metrics_path is not None and request.target == self._options.metrics_path:
            return Response(200, self._metrics.text(), "text/plain")
        if not _ANY.fullmatch(request.target):
            return Response(404, _NOT_FOUND, "text/html")
        extra = _CORS if self._options.cors else ""
        if self._options.cors and request.method == "OPTIONS":
            return Response(200, b"", extra=extra)
        try:
            return Response(200, self._answer(request), extra=extra)
        except EmptyAnswer:
            return Response(400, b"", extra=extra)
        except RecursionError:
            return Response(400, json_output.error("JSON is nested too deeply"), extra=extra)
        except StatusError as error:
            status = error.status
            return Response(
                _HTTP_CODES[status.code], json_output.error(status.message), extra=extra
            )

    def _answer(self, request: Request) -> bytes:
        if request.method == "POST":
            found = _PREDICTION.fullmatch(request.target)
            if found:
                return self._prediction(_spec(found), found[4], request.body)
        elif request.method == "GET":
            found = _STATUS.fullmatch(request.target)
            if found:
                return self._information(_spec(found), metadata=bool(found[4]))
        raise invalid(f"Malformed request: {request.method} {request.target}")

    def _information(self, spec: pb.ModelSpec, *, metadata: bool) -> bytes:
        if not spec.name:
            raise invalid("Missing model name in request.")
        if metadata:
            wanted = pb.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
            return model_info.metadata_json(model_info.model_metadata(self._core, wanted))
        asked = pb.GetModelStatusRequest(model_spec=spec)
        return model_info.status_json(model_info.model_status(self._core, asked))

    def _prediction(self, spec: pb.ModelSpec, method: str, body: bytes) -> bytes:
        if method != "predict":
            raise StatusError(Code.UNIMPLEMENTED, f"{method} is not implemented by this stand-in")
        started = time.perf_counter()
        code = Code.OK
        try:
            answer = self._predict(spec, body)
        except StatusError as error:
            code = error.status.code
            raise
        finally:
            self._metrics.request(spec.name, code.name)
        self._metrics.latency(spec.name, "predict", "REST", (time.perf_counter() - started) * 1e6)
        return answer

    def _predict(self, spec: pb.ModelSpec, content: bytes) -> bytes:
        body = json_input.parse(content)
        name = body.signature_name
        with self._core.servable(spec) as bundle:
            session = bundle.session
            assert isinstance(session, engine.Session)
            wanted = name or predict.DEFAULT_SIGNATURE
            definition = session.signatures.get(wanted)
            if definition is None:
                raise invalid(f'Serving signature name: "{wanted}" not found in signature def')
            inputs, by_row = json_input.tensors(body, definition.inputs)
            if self._options.check_methods:
                predict.check_method(definition)
            running = time.perf_counter()
            request = predict.Request(inputs)
            outputs = predict.run(session, definition, request, self._options.timeout_ms)
            self._metrics.runtime(spec.name, (time.perf_counter() - running) * 1e6)
        return json_output.rows(outputs) if by_row else json_output.columns(outputs)


def _spec(found: re.Match[str]) -> pb.ModelSpec:
    name, version, label = found[1], found[2], found[3]
    spec = pb.ModelSpec(name=_decoded(name or ""))
    if version:
        if int(version) >= 2**63:
            log.error(f"Failed to convert version: {version} to numeric.")
            raise EmptyAnswer
        spec.version.value = int(version)
    if label:
        spec.version_label = _decoded(label)
    return spec


def _decoded(text: str) -> str:
    # A protobuf string holds no bytes that are not UTF-8; the real server's C++ strings do.
    return urllib.parse.unquote(text, errors="replace")
