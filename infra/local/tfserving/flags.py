"""The real binary's flags, types and defaults, parsed as TensorFlow's flag parser does."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from infra.local.tfserving import log

Value = bool | int | float | str


class Flag(NamedTuple):
    """A flag's default (its type is the flag's) and whether this stand-in does what it says."""

    default: Value
    implemented: bool = True


_CPUS = 4 * len(os.sched_getaffinity(0))
FLAGS = {
    "port": Flag(8500),
    "grpc_socket_path": Flag("", False),
    "rest_api_port": Flag(0),
    "rest_api_num_threads": Flag(_CPUS),
    "rest_api_timeout_in_ms": Flag(30000),
    "rest_api_enable_cors_support": Flag(False),
    "enable_batching": Flag(False, False),
    "allow_version_labels_for_unavailable_models": Flag(False),
    "batching_parameters_file": Flag("", False),
    "enable_per_model_batching_parameters": Flag(False, False),
    "model_config_file": Flag(""),
    "model_config_file_poll_wait_seconds": Flag(0),
    "model_name": Flag("default"),
    "model_base_path": Flag(""),
    "num_load_threads": Flag(0),
    "num_unload_threads": Flag(0),
    "max_num_load_retries": Flag(5),
    "load_retry_interval_micros": Flag(60_000_000),
    "file_system_poll_wait_seconds": Flag(1),
    "flush_filesystem_caches": Flag(True),
    "tensorflow_session_parallelism": Flag(0),
    "tensorflow_session_config_file": Flag("", False),
    "tensorflow_intra_op_parallelism": Flag(0),
    "tensorflow_inter_op_parallelism": Flag(0),
    "use_alts_credentials": Flag(False, False),
    "ssl_config_file": Flag("", False),
    "platform_config_file": Flag("", False),
    "per_process_gpu_memory_fraction": Flag(0.0, False),
    "saved_model_tags": Flag("serve"),
    "grpc_channel_arguments": Flag(""),
    "grpc_max_threads": Flag(_CPUS),
    "enable_model_warmup": Flag(True),
    "num_request_iterations_for_warmup": Flag(0),
    "version": Flag(False),
    "monitoring_config_file": Flag(""),
    "remove_unused_fields_from_bundle_metagraph": Flag(True),
    "prefer_tflite_model": Flag(False, False),
    "num_tflite_pools": Flag(1, False),
    "num_tflite_interpreters_per_pool": Flag(1, False),
    "enable_signature_method_name_check": Flag(False),
    "xla_cpu_compilation_enabled": Flag(False, False),
    "enable_profiler": Flag(True, False),
    "thread_pool_factory_config_file": Flag("", False),
    "mixed_precision": Flag("", False),
    "skip_initialize_tpu": Flag(False, False),
    "enable_grpc_healthcheck_service": Flag(False),
    "enable_serialization_as_tensor_content": Flag(False),
}


@dataclass(slots=True)
class Flags:
    """Parsed flags by name, and the arguments that are none."""

    values: dict[str, Value]
    unknown: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A string flag."""
        return str(self.values[name])

    def number(self, name: str) -> int:
        """An integer flag."""
        return int(self.values[name])

    def on(self, name: str) -> bool:
        """A boolean flag."""
        return bool(self.values[name])


class BadFlag(Exception):
    """A known flag whose value does not parse: usage and exit code 255."""


def parse(arguments: Sequence[str]) -> Flags:
    """Parse `--name=value` and bare `--boolean`; what is not a flag lands in `unknown`."""
    flags = Flags({name: flag.default for name, flag in FLAGS.items()})
    for argument in arguments:
        name, equals, text = argument.removeprefix("--").partition("=")
        known = FLAGS.get(name) if argument.startswith("--") else None
        if known is None or (not equals and not isinstance(known.default, bool)):
            flags.unknown.append(argument)
        else:
            flags.values[name] = _value(name, known.default, text if equals else "true")
    return flags


def _value(name: str, default: Value, text: str) -> Value:
    try:
        if isinstance(default, bool):
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        return type(default)(text)
    except (KeyError, ValueError) as error:
        raise BadFlag(f"Couldn't interpret value {text} for flag {name}.") from error


def usage(program: str) -> str:
    """The list of flags."""
    lines = [f"usage: {program}", "Flags:"]
    for name, flag in FLAGS.items():
        kind = {bool: "bool", int: "int", float: "float", str: "string"}[type(flag.default)]
        shown = (
            str(flag.default).lower() if kind == "bool" else repr(flag.default).replace("'", '"')
        )
        note = "" if flag.implemented else "\tnot implemented by this stand-in"
        lines.append(f"\t--{name}={shown}".ljust(56) + f"\t{kind}{note}")
    return "\n".join(lines) + "\n"


def say_what_is_missing(flags: Flags) -> None:
    """Name each given flag that this stand-in does not implement, on standard error."""
    for name, flag in FLAGS.items():
        if not flag.implemented and flags.values[name] != flag.default:
            log.say(f"--{name}={flags.values[name]} is accepted but not implemented here")


def complain_of_unknown(flags: Flags) -> None:
    """What the real binary does with arguments it does not know: print the first, and go on."""
    if flags.unknown:
        sys.stdout.write(
            f"unknown argument: {flags.unknown[0]}\n{usage('tensorflow_model_server')}"
        )
        sys.stdout.flush()
