"""Checks objects against their kinds: fields that do not exist, are missing or have a wrong type.

Kubernetes' own kinds are checked against the models of the pinned client, custom ones against
schemas.yaml.
"""

import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes.client
import pydantic
import yaml

from infra.manifests.lines import Document, Key, Problem

# Mappings of names to quantities, which may be written as numbers:
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity
_QUANTITIES = frozenset({"limits", "requests", "hard", "default", "defaultRequest", "max", "min"})
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORDS = {
    "extra_forbidden": "no such field",
    "missing": "needed",
    "string_type": "must be text (in quotes)",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
}


def problems(document: Document, *, partial: bool = False) -> Iterator[Problem]:
    """What is wrong with an object; a `partial` one (a patch) may lack what its kind needs."""
    version, kind = str(document.value.get("apiVersion", "")), document.kind
    if schema := custom().get(f"{version}/{kind}"):
        yield from _against_schema(document, schema)
        return
    model = _model(version, kind)
    if model is None:
        yield document.problem(("kind",), f"no such kind: {version or 'no apiVersion'} {kind}")
        return
    yield from _against_model(document, model, partial)


@functools.cache
def custom() -> dict[str, dict[str, Any]]:
    """The JSON schemas of custom kinds, by apiVersion/kind."""
    schemas: dict[str, dict[str, Any]] = yaml.safe_load(
        Path(__file__).with_name("schemas.yaml").read_text()
    )
    return schemas


def _model(version: str, kind: str) -> type[pydantic.BaseModel] | None:
    """The client's model of a kind: what the method that creates such an object takes."""
    group, _, number = version.rpartition("/")
    words = group.removesuffix(".k8s.io").split(".") if group else ["core"]
    name = "".join(word.capitalize() for word in words) + number.capitalize() + "Api"
    api = getattr(kubernetes.client, name, None)
    snake = _HUMP.sub("_", kind).lower()
    for method in (f"create_namespaced_{snake}", f"create_{snake}"):
        if found := getattr(api, method, None):
            body: type[pydantic.BaseModel] = inspect.signature(found).parameters["body"].annotation
            return body
    return None


def _against_model(
    document: Document, model: type[pydantic.BaseModel], partial: bool
) -> Iterator[Problem]:
    value = _quantities_as_text(document.value)
    try:
        parsed = model.model_validate(value)
    except pydantic.ValidationError as error:
        seen = set()
        for one in error.errors(include_url=False):
            where = _existing(value, one["loc"], one["type"])
            if where in seen or (partial and one["type"] == "missing"):
                continue
            seen.add(where)
            yield document.problem(where, _WORDS.get(one["type"], one["msg"]))
        return
    kept = parsed.model_dump(by_alias=True, exclude_unset=True)
    for where in _lost(value, kept):
        yield document.problem(where, "no such field")


def _against_schema(document: Document, schema: dict[str, Any]) -> Iterator[Problem]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(document.value)
    for error in sorted(found, key=lambda one: [str(part) for part in one.absolute_path]):
        where = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            for key in sorted(set(error.instance) - set(error.schema["properties"])):
                yield document.problem((*where, key), "no such field")
        else:
            yield document.problem(where, error.message)


def _quantities_as_text(value: Any, key: str = "") -> Any:  # noqa: ANN401 - any YAML
    if isinstance(value, dict):
        if key in _QUANTITIES:
            return {k: str(v) if type(v) in (int, float) else v for k, v in value.items()}
        return {k: _quantities_as_text(v, str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_quantities_as_text(item) for item in value]
    return value


def _existing(value: Any, place: tuple[Key, ...], kind: str) -> tuple[Key, ...]:  # noqa: ANN401
    """Pydantic's place without the names of types that it adds where a field may have several."""
    where: list[Key] = []
    for key in place:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            if kind == "missing":
                where.append(key)
            break
        where.append(key)
    return tuple(where)


def _lost(value: Any, kept: Any, where: tuple[Key, ...] = ()) -> Iterator[tuple[Key, ...]]:  # noqa: ANN401
    """Keys that did not survive: the model also takes Python's names, the API server does not."""
    if isinstance(value, dict) and isinstance(kept, dict):
        for key, inner in value.items():
            if key not in kept:
                yield (*where, key)
            else:
                yield from _lost(inner, kept[key], (*where, key))
    elif isinstance(value, list) and isinstance(kept, list):
        for number, (inner, other) in enumerate(zip(value, kept, strict=False)):
            yield from _lost(inner, other, (*where, number))
