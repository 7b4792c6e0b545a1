"""GetModelStatus and GetModelMetadata, for gRPC and for REST."""

import json

from google.protobuf import json_format

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving import dtypes, engine
from infra.local.tfserving.server_core import ServerCore
from infra.local.tfserving.status import Code, StatusError, invalid

_SIGNATURE_DEF = "signature_def"
_TYPE_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"


def model_status(core: ServerCore, request: pb.GetModelStatusRequest) -> pb.GetModelStatusResponse:
    """All versions ever seen, highest first, or the one asked for. Labels are ignored."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    states = core.monitor.versions(spec.name)
    if spec.HasField("version"):
        wanted = spec.version.value
        if wanted not in states:
            raise StatusError(
                Code.NOT_FOUND, f"Could not find version {wanted} of model {spec.name}"
            )
        states = {wanted: states[wanted]}
    if not states:
        raise StatusError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
    response = pb.GetModelStatusResponse()
    for version, (state, status) in states.items():
        each = response.model_version_status.add(version=version, state=int(state))
        each.status.SetInParent()
        each.status.error_code = int(status.code)
        each.status.error_message = status.message
    return response


def model_metadata(
    core: ServerCore, request: pb.GetModelMetadataRequest
) -> pb.GetModelMetadataResponse:
    """The signatures of the version asked for."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != _SIGNATURE_DEF:
            raise invalid(f"Metadata field {field} is not supported")
    response = pb.GetModelMetadataResponse()
    with core.servable(request.model_spec) as bundle:
        assert isinstance(bundle.session, engine.Session)
        response.model_spec.name = bundle.name
        response.model_spec.version.value = bundle.version
        signatures = pb.SignatureDefMap(signature_def=bundle.session.signatures)
    packed = response.metadata[_SIGNATURE_DEF]
    packed.type_url, packed.value = _TYPE_URL, signatures.SerializeToString()
    return response


def status_json(response: pb.GetModelStatusResponse) -> bytes:
    """As the real server prints it: versions as strings, names of states and codes."""
    listed = [
        {
            "version": str(each.version),
            "state": pb.ModelVersionStatus.State.Name(each.state),
            "status": {
                "error_code": Code(each.status.error_code).name,
                "error_message": each.status.error_message,
            },
        }
        for each in response.model_version_status
    ]
    return json.dumps({"model_version_status": listed}, indent=1, ensure_ascii=False).encode()


def metadata_json(response: pb.GetModelMetadataResponse) -> bytes:
    """As the real server prints it, with the type names TensorFlow has for dtype numbers."""
    signatures = pb.SignatureDefMap.FromString(response.metadata[_SIGNATURE_DEF].value)
    shown = json_format.MessageToDict(
        signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    _name_types(shown)
    spec = {
        "name": response.model_spec.name,
        "signature_name": "",
        "version": str(response.model_spec.version.value),
    }
    return (
        f'{{\n"model_spec":{json.dumps(spec, indent=1)},\n'
        f'"metadata": {{"signature_def": {json.dumps(shown, indent=1)}\n}}\n}}\n'
    ).encode()


def _name_types(shown: object) -> None:
    if isinstance(shown, dict):
        for key, value in shown.items():
            if key == "dtype" and isinstance(value, int):
                shown[key] = dtypes.ENUM_NAMES.get(value, value)
            else:
                _name_types(value)
