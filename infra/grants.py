"""Reads infra/grants.yaml, what each identity may touch; one error names every wrong key.

Terraform reads the same file (infra/terraform/grants.tf). This module says what it means: which
names a grant covers, the IAM condition that says the same, and the table in docs/security.md.
`python -m infra.grants` prints that table.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

from infra import functions

FILE = functions.ROOT / "infra" / "grants.yaml"
# Read as it is: infra.schedules would bring Cloud Scheduler's client along.
_SCHEDULES = functions.ROOT / "infra" / "schedules.yaml"
EVERYTHING = "*"
# Verb: the permissions of its custom role. https://cloud.google.com/storage/docs/access-control/iam-json
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "get": ("storage.objects.get",),
    "list": ("storage.objects.list",),
    "create": ("storage.objects.create",),
    "write": ("storage.objects.create", "storage.objects.delete"),
    "delete": ("storage.objects.delete",),
}
# IAM takes no longer condition. https://cloud.google.com/iam/quotas
MAX_OPERATORS = 12
# Topics that no function listens to.
SPOKEN = frozenset({"model-events"})
_OBJECTS = re.compile(r"\*|\*[^*]+|(?!/)[^*]+(/\*/[^*]+)?")
_UNWRITABLE = re.compile(r"[\"\\{}\s]")


class GrantsError(ValueError):
    """grants.yaml is wrong; the text names every key."""


def _objects(text: str) -> str:
    if not _OBJECTS.fullmatch(text) or _UNWRITABLE.search(text):
        raise ValueError('must be like customers/, shards/*/boot/, *.status.json or "*"')
    return text


def _together(objects: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(objects)) != len(objects):
        raise ValueError("each only once")
    if EVERYTHING in objects and len(objects) > 1:
        raise ValueError('"*" covers the others')
    if len(objects) - 1 > MAX_OPERATORS:
        raise ValueError(f"a condition takes at most {MAX_OPERATORS + 1} of them")
    return objects


Objects = Annotated[
    tuple[Annotated[str, pydantic.AfterValidator(_objects)], ...],
    pydantic.Field(min_length=1),
    pydantic.AfterValidator(_together),
]
# To those who may not list a bucket, an absent object is a forbidden one: a part is no use.
Listing = Annotated[
    tuple[Literal["*"], ...], pydantic.Field(min_length=1), pydantic.AfterValidator(_together)
]
Bucket = Literal["uploads", "models", "control"]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Reading(_Strict):
    """Objects of one bucket that may be looked at."""

    get: Objects = ()
    list: Listing = ()

    def objects(self) -> dict[str, tuple[str, ...]]:
        """The objects of each verb that is granted."""
        return {verb: found for verb in PERMISSIONS if (found := getattr(self, verb, ()))}

    def using(self, permission: str, name: str) -> tuple[tuple[str, str], ...]:
        """The (verb, objects) that allow a permission on an object; none when it is refused."""
        return tuple(
            (verb, objects)
            for verb, granted in self.objects().items()
            if permission in PERMISSIONS[verb]
            for objects in granted
            if covers(objects, name)
        )


class Access(Reading):
    """Objects of one bucket that may be looked at or changed."""

    create: Objects = ()
    write: Objects = ()
    delete: Objects = ()


class Granted(_Strict):
    """What one function's identity may touch; topics by their short names."""

    buckets: dict[Bucket, Access] = {}
    publish: tuple[str, ...] = ()
    call: tuple[str, ...] = ()


class Pods(_Strict):
    """What pods of one Kubernetes account may touch."""

    buckets: dict[Bucket, Reading]


class Grants(_Strict):
    """The whole table; a function without a row may touch nothing."""

    functions: dict[str, Granted]
    serving: Pods
    router: Pods = Pods(buckets={})

    def of(self, name: str) -> Granted:
        """What a function may touch."""
        return self.functions.get(name, Granted())


def read(path: Path = FILE) -> Grants:
    """The table. Raises GrantsError."""
    try:
        table = Grants.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise GrantsError(f"{path}: {error}") from error
    except pydantic.ValidationError as error:
        raise GrantsError(f"{path}: " + "; ".join(map(_problem, error.errors()))) from error
    if problems := list(_unknown(table)):
        raise GrantsError(f"{path}: " + "; ".join(problems))
    return table


def covers(objects: str, name: str) -> bool:
    """Whether an object's name is among the objects: by its beginning, its end, or one free part."""
    if objects.startswith("*"):
        return name.endswith(objects.removeprefix("*"))
    beginning = re.escape(objects).replace(re.escape("*"), "[^/]+")
    return re.match(beginning, name) is not None


def condition(objects: Iterable[str], bucket: str) -> str:
    """The IAM condition that says the same of a bucket by its full name; "" for everything.

    A free part may hold slashes there: https://cloud.google.com/iam/docs/conditions-attribute-reference
    """
    terms = []
    for one in objects:
        if one == EVERYTHING:
            return ""
        path = f"projects/_/buckets/{bucket}/objects/"
        if one.startswith("*"):
            terms.append(f'resource.name.endsWith("{one.removeprefix("*")}")')
        elif "*" in one:
            terms.append(f'resource.name.extract("{path}{one.replace("*", "{part}")}") != ""')
        else:
            terms.append(f'resource.name.startsWith("{path}{one}")')
    return " || ".join(terms)


def markdown(table: Grants) -> str:
    """The table as docs/security.md shows it."""
    rows = [
        "| identity | uploads | models | control | publishes | calls |",
        "|---|---|---|---|---|---|",
    ]
    for name in functions.read():
        row = table.of(name)
        cells = [_words(row.buckets), ", ".join(row.publish), _code(row.call)]
        rows.append(_row(f"`{name}`", cells))
    rows.append(_row("serving pods", [_words(table.serving.buckets), "", ""]))
    rows.append(_row("router pods", [_words(table.router.buckets), "", ""]))
    return "\n".join(rows) + "\n"


def _row(name: str, cells: list[Any]) -> str:
    buckets, *others = cells
    return "| " + " | ".join([name, *buckets, *(cell or "-" for cell in others)]) + " |"


def _words(buckets: Mapping[Bucket, Reading]) -> list[str]:
    return [
        "; ".join(f"{verb} {_code(names)}" for verb, names in buckets[bucket].objects().items())
        if bucket in buckets
        else "-"
        for bucket in ("uploads", "models", "control")
    ]


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _unknown(table: Grants) -> Iterable[str]:
    known = functions.read()
    listened = {
        f.trigger.topic for f in known.values() if isinstance(f.trigger, functions.TopicTrigger)
    }
    scheduled = {one["topic"] for one in yaml.safe_load(_SCHEDULES.read_text())["schedules"]}
    topics = SPOKEN | listened | scheduled
    for name, row in table.functions.items():
        if name not in known:
            yield f"functions.{name}: no such function"
        yield from (
            f"functions.{name}.publish: no topic {one}" for one in row.publish if one not in topics
        )
        yield from (
            f"functions.{name}.call: {one} is called by nobody"
            for one in row.call
            if one not in known or not known[one].is_http
        )


def _problem(error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    key = ".".join(str(part) for part in error["loc"])
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"


if __name__ == "__main__":
    print(markdown(read()), end="")
