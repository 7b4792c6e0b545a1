"""ModelServerConfig: reading the text file, and the checks that need no running server."""

import mmap
import re
from collections.abc import Iterable

from google.protobuf import message, text_format

from berth.protos import tfserving_pb2 as pb
from infra.local.tfserving.status import Code, StatusError, invalid

PLATFORM = "tensorflow"
_SCHEME = re.compile(r"[a-zA-Z][0-9a-zA-Z.]*://")


def read_text(path: str, into: message.Message) -> None:
    """Parse the text protobuf in `path`. Raises StatusError; an empty file cannot be read."""
    try:
        # Mapped, as the real server maps it: mapping an empty file is what fails there.
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as region:
            content = region[:]
    except FileNotFoundError as error:
        raise StatusError(Code.NOT_FOUND, f"{path}; No such file or directory") from error
    except ValueError as error:
        raise invalid(f"{path}; Invalid argument") from error
    except OSError as error:
        raise StatusError(Code.UNKNOWN, f"{path}; {error.strerror}") from error
    try:
        text_format.Parse(content, into)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise invalid(f"Invalid protobuf file: '{path}'") from error


def read_file(path: str) -> pb.ModelServerConfig:
    """The model config file. Raises StatusError."""
    config = pb.ModelServerConfig()
    read_text(path, config)
    return config


def single_model(name: str, base_path: str) -> pb.ModelServerConfig:
    """What --model_name and --model_base_path stand for."""
    only = pb.ModelConfig(name=name, base_path=base_path, model_platform=PLATFORM)
    return pb.ModelServerConfig(model_config_list=pb.ModelConfigList(config=[only]))


def check_transition(old: pb.ModelServerConfig | None, new: pb.ModelServerConfig) -> None:
    """Stage 1: from nothing to anything, from list to list, or to the same again."""
    if old is None or old == new:
        return
    kinds = (old.WhichOneof("config"), new.WhichOneof("config"))
    if kinds != ("model_config_list", "model_config_list"):
        raise StatusError(
            Code.FAILED_PRECONDITION,
            "Cannot transition to requested config. It is only legal to transition from one "
            "ModelConfigList to another.",
        )


def check_list(models: Iterable[pb.ModelConfig]) -> None:
    """Stage 3: no name twice, each base path absolute or a URI."""
    seen = set()
    for model in models:
        if model.name in seen:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
        if not model.base_path.startswith("/") and not _SCHEME.match(model.base_path):
            raise invalid(
                f"Expected model {model.name} to have an absolute path or URI; "
                f"got base_path()={model.base_path}"
            )


def check_platforms(old: pb.ModelServerConfig | None, new: pb.ModelServerConfig) -> None:
    """Stage 4: no model changes platform. Fails too when the remembered list itself is wrong."""
    if old is None:
        return
    before = {model.name: platform(model) for model in old.model_config_list.config}
    for model in new.model_config_list.config:
        if model.name not in before:
            continue
        wanted = platform(model)
        if wanted != before[model.name]:
            raise invalid(
                f"Illegal to change a model's platform. For model {model.name} platform was "
                f"{before[model.name]} and new platform requested is {wanted}"
            )


def check_routes(new: pb.ModelServerConfig) -> None:
    """Stage 6: each model has a platform, and the one there is."""
    for model in new.model_config_list.config:
        wanted = platform(model)
        if wanted != PLATFORM:
            raise invalid(f"Model {model.name} requests unsupported platform {wanted}")


def platform(model: pb.ModelConfig) -> str:
    """The platform a model asks for, in the new way or the deprecated one. Raises StatusError."""
    where = "ModelServerConfig::model_type (deprecated)"
    if model.model_type:
        if model.model_platform:
            raise invalid(
                f"Illegal setting both {where} and ModelServerConfig::model_platform, "
                f"model name is {model.name}"
            )
        if model.model_type == pb.TENSORFLOW:
            return PLATFORM
        raise invalid(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    if not model.model_platform:
        raise invalid(
            f"Illegal setting neither {where} nor ModelServerConfig::model_platform, "
            f"model name is {model.name}"
        )
    return model.model_platform
