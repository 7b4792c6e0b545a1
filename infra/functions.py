"""Reads functions/functions.yaml, the one table of functions; one error names every wrong key."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "functions" / "functions.yaml"
# Cloud Run's most memory in MiB for each number of CPUs, and the least that some need:
# https://cloud.google.com/run/docs/configuring/services/cpu
MOST_MEMORY = {1: 4096, 2: 8192, 4: 16384, 6: 24576, 8: 32768}
LEAST_MEMORY = {4: 2048, 6: 4096, 8: 4096}
# Eventarc waits no longer for a function's answer, whatever the function's own timeout says:
# https://cloud.google.com/functions/quotas
LONGEST_EVENT = 540
# What the parts of the stack import from; deployed functions import from their bundle alone.
PYTHONPATH = f"{ROOT / 'shared'}:{ROOT}"


class TableError(ValueError):
    """functions.yaml or the values meant for it are wrong; the text names every key."""


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class BucketTrigger(_Strict):
    """Notifications of the finalized objects of one of Berth's buckets, by its role."""

    bucket: Literal["uploads", "models", "control"]


class TopicTrigger(_Strict):
    """Messages of a Pub/Sub topic, by its short name."""

    topic: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9-]{2,60}$")]


class HttpTrigger(_Strict):
    """Calls over HTTP: by other functions alone (internal) or by anyone with the right (public)."""

    http: Literal["internal", "public"]


class Retry(_Strict):
    """Delivery attempts before the dead-letter topic; bounds of the back-off in seconds.

    The ranges are Pub/Sub's: https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions
    """

    attempts: Annotated[int, pydantic.Field(ge=5, le=100)]
    minimum_backoff: Annotated[float, pydantic.Field(ge=0, le=600)]
    maximum_backoff: Annotated[float, pydantic.Field(ge=0, le=600)]

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> "Retry":
        if self.minimum_backoff > self.maximum_backoff:
            raise ValueError("minimum_backoff: more than maximum_backoff")
        return self


class Function(_Strict):
    """One row of the table; `source` is the folder of its main.py.

    Memory in MiB: Cloud Run's second generation starts at 512. CPUs are whole, because less than
    one allows no concurrency.
    """

    name: str
    source: Path
    runtime: str
    trigger: BucketTrigger | TopicTrigger | HttpTrigger
    identity: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")]
    cpu: Literal[1, 2, 4, 6, 8]
    memory: Annotated[int, pydantic.Field(ge=512)]
    timeout: Annotated[float, pydantic.Field(gt=0, le=3600)]
    concurrency: Annotated[int, pydantic.Field(ge=1, le=1000)]
    instances: Annotated[int, pydantic.Field(ge=1)]
    local_instances: Annotated[int, pydantic.Field(ge=1)]
    retry: Retry | None = None
    environment: dict[str, str] = {}
    include: dict[str, str] = {}

    @pydantic.model_validator(mode="after")
    def _retry_belongs_to_events(self) -> "Function":
        if isinstance(self.trigger, HttpTrigger) == (self.retry is not None):
            raise ValueError("retry: needed for bucket and topic triggers, and for them alone")
        return self

    @pydantic.model_validator(mode="after")
    def _within_the_clouds_limits(self) -> "Function":
        least, most = LEAST_MEMORY.get(self.cpu, 0), MOST_MEMORY[self.cpu]
        if not least <= self.memory <= most:
            raise ValueError(f"memory: {least or 512} to {most} MiB go with {self.cpu} CPUs")
        if not self.is_http and self.timeout > LONGEST_EVENT:
            raise ValueError(f"timeout: at most {LONGEST_EVENT} s for a function that gets events")
        return self

    @property
    def is_http(self) -> bool:
        """Whether callers wait for this function's answer."""
        return isinstance(self.trigger, HttpTrigger)

    @property
    def topic(self) -> str | None:
        """The short name of the topic that feeds it; None for HTTP functions.

        A bucket notifies the topic <role>-finalized of its finalized objects.
        """
        if isinstance(self.trigger, BucketTrigger):
            return f"{self.trigger.bucket}-finalized"
        return self.trigger.topic if isinstance(self.trigger, TopicTrigger) else None

    @property
    def subscription(self) -> str:
        """The short name of its subscription."""
        return self.name.replace("_", "-")


def read(table: Path = TABLE) -> dict[str, Function]:
    """The functions by name, in the table's order. Raises TableError."""
    try:
        document = yaml.safe_load(table.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise TableError(f"{table}: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("functions"), dict):
        raise TableError(f"{table}: functions: must be a mapping of names to functions")
    problems: list[str] = [
        f"{key}: unknown" for key in document if key not in ("defaults", "functions")
    ]
    functions = {}
    for name, row in document["functions"].items():
        try:
            functions[name] = _function(name, row, document.get("defaults") or {}, table.parent)
        except pydantic.ValidationError as error:
            problems += [_problem(name, one) for one in error.errors()]
    if problems:
        raise TableError(f"{table}: " + "; ".join(problems))
    return functions


def fill(functions: Mapping[str, Function], values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Each function's environment with every ${NAME} replaced; one TableError names all unknown."""
    filled: dict[str, dict[str, str]] = {}
    unknown: set[str] = set()
    for name, function in functions.items():
        filled[name] = {}
        for key, text in function.environment.items():
            template = string.Template(text)
            missing = set(template.get_identifiers()) - set(values)
            unknown |= missing
            filled[name][key] = "" if missing else template.substitute(values)
    if unknown:
        raise TableError("no value for " + ", ".join(f"${{{one}}}" for one in sorted(unknown)))
    return filled


def _function(name: str, row: object, defaults: dict[str, Any], folder: Path) -> Function:
    row = dict(row) if isinstance(row, dict) else {}
    environment = row.get("environment")
    if environment != {} and isinstance(environment, dict | None):
        # An explicit empty environment means none at all: the probe is told nothing.
        row["environment"] = {**defaults.get("environment", {}), **(environment or {})}
    return Function.model_validate({**defaults, **row, "name": name, "source": folder / name})


def _problem(name: str, error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    key = ".".join(str(part) for part in (name, *error["loc"]))
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"
