"""serving.yaml: what a customer may say about a model, parsed from untrusted bytes.

At most 16 KiB of YAML without anchors and tags, with the keys `keep`, `pin`, `canary` and `labels` and
nothing else.
"""

from collections.abc import Sequence
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints, ValidationError

from berth.domain import canonical, names
from berth.domain.documents import Model, Wants
from berth.domain.errors import InvalidModel

MAX_BYTES = 16 * 1024
MAX_DEPTH = 8
MAX_LABELS = 8
# Versions of one model that may be asked for at once: a replica has to hold them all.
MAX_LOADED = 8
_MAX_REASON = 500

Version = Annotated[StrictInt, Field(ge=1, le=names.MAX_VERSION)]
Label = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9_]{1,32}$")]


class Canary(BaseModel):
    """A version on trial: so many of a hundred requests that name no version go to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Version
    percent: StrictInt = Field(ge=0, le=100)


class ServingYaml(BaseModel):
    """The file's content. `keep`: newest versions kept loaded; `pin`: the newest version to serve;
    `labels`: names for versions, which stay loaded, as the canary does, beside those of `keep`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: StrictInt = Field(default=1, ge=1, le=8)
    pin: Version | None = None
    canary: Canary | None = None
    labels: dict[Label, Version] = Field(default={}, max_length=MAX_LABELS)

    @property
    def named(self) -> frozenset[int]:
        """The versions that stay loaded because they are named."""
        canary = {self.canary.version} if self.canary else set()
        return frozenset(canary.union(self.labels.values()))


def parse(data: bytes) -> ServingYaml:
    """Return the file's content or raise InvalidModel with a reason the customer can read."""
    if len(data) > MAX_BYTES:
        raise InvalidModel(f"serving.yaml has {len(data)} bytes, at most {MAX_BYTES} are allowed")
    try:
        _bounded(data)
        content = yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise InvalidModel(f"serving.yaml is not YAML: {_first_line(error)}") from error
    if content is None:
        return ServingYaml()
    try:
        return ServingYaml.model_validate(content)
    except ValidationError as error:
        raise InvalidModel(f"serving.yaml: {canonical.problems(error)[:_MAX_REASON]}") from error


def applied(model: Model, wishes: ServingYaml, *, generation: int) -> Wants:
    """Return the model's wants with the wishes in them; raise InvalidModel for what cannot be."""
    _possible(model.present, wishes)
    canary = wishes.canary
    return model.wants.model_copy(
        update={
            "keep": wishes.keep,
            "pin": wishes.pin,
            "canary": {canary.version: canary.percent} if canary else {},
            "labels": dict(wishes.labels),
            "source_generation": generation,
        }
    )


def _possible(present: Sequence[int], wishes: ServingYaml) -> None:
    asked = [("pins", wishes.pin)] if wishes.pin is not None else []
    asked += [("has as its canary", wishes.canary.version)] if wishes.canary else []
    asked += [(f"labels as {label}", number) for label, number in sorted(wishes.labels.items())]
    for verb, number in asked:
        if number not in present:
            there = ", ".join(str(number) for number in present[-8:]) or "none"
            raise InvalidModel(
                f"serving.yaml {verb} version {number}, which is not admitted (admitted: {there})"
            )
    if wishes.canary and wishes.canary.version == wishes.pin:
        raise InvalidModel(f"serving.yaml: version {wishes.pin} is both the pin and the canary")
    if wishes.canary and len(present) == 1:
        raise InvalidModel("serving.yaml: the canary is the only version, no other can be tried")
    loaded = wishes.keep + len(wishes.named)
    if loaded > MAX_LOADED:
        raise InvalidModel(
            f"serving.yaml keeps {wishes.keep} and names {len(wishes.named)} versions: {loaded} in "
            f"all, at most {MAX_LOADED} may be loaded"
        )


def _bounded(data: bytes) -> None:
    depth = 0
    for event in yaml.parse(data, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidModel("serving.yaml: anchors and aliases are not allowed")
        if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None) is not None:
            # PyYAML makes a `!!bool x` into a KeyError, and others of its kind into what not.
            raise InvalidModel("serving.yaml: tags are not allowed")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise InvalidModel("serving.yaml: nested too deeply")
    nodes = [yaml.compose(data, Loader=yaml.SafeLoader)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [str(key.value) for key, _ in node.value]
            if len(set(keys)) != len(keys):
                raise InvalidModel("serving.yaml: a key is there twice")
            nodes += [value for _, value in node.value]


def _first_line(error: Exception) -> str:
    return str(error).replace("\n", " ")[:200]
