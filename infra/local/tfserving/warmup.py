"""tf_serving_warmup_requests: predict requests replayed after a load; one failure fails it."""

from collections.abc import Iterator
from pathlib import Path

from google.protobuf import message
from google_crc32c import value as crc32c

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import engine, predict
from infra.local.tfserving.status import Code, StatusError, invalid

_MOST_RECORDS = 1000


def run(session: engine.Session, version_path: str, iterations: int) -> None:
    """Replay the recorded requests `iterations` times each. Raises StatusError."""
    path = Path(version_path) / "assets.extra" / "tf_serving_warmup_requests"
    if "://" in version_path or not path.exists():
        return
    for index, record in enumerate(_records(path.read_bytes())):
        if index >= _MOST_RECORDS:
            raise invalid(
                f"Number of warmup records exceeds the maximum (maximum = {_MOST_RECORDS}). "
                f"Please reduce the number of warmup records in {path}."
            )
        logged = pb.PredictionLog()
        try:
            logged.ParseFromString(record)
        except message.DecodeError as error:
            raise invalid(f"Failed to parse warmup record: {record!r} from {path}.") from error
        if not logged.HasField("predict_log"):
            raise StatusError(
                Code.UNIMPLEMENTED,
                "Unsupported log_type for warmup: this stand-in replays predict_log only",
            )
        for _ in range(max(iterations, 1)):
            request = logged.predict_log.request
            name = request.model_spec.signature_name
            found = predict.signature(session, name)
            predict.run(session, found, predict.from_request(request), 0)


def _records(content: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(content):
        header = content[position : position + 12]
        size = int.from_bytes(header[:8], "little")
        if len(header) < 12 or _masked(header[:8]) != header[8:]:
            raise StatusError(Code.DATA_LOSS, f"corrupted record at {position}")
        body = content[position + 12 : position + 16 + size]
        if len(body) < size + 4 or _masked(body[:-4]) != body[-4:]:
            raise StatusError(Code.DATA_LOSS, f"truncated record at {position}")
        yield body[:-4]
        position += size + 16


def _masked(content: bytes) -> bytes:
    checksum = int(crc32c(content))
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return ((rotated + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")
