"""serving.yaml: what a customer may say about a model, parsed from untrusted bytes.

At most 16 KiB of YAML without anchors and tags, with the keys `keep` and `pin` and nothing else.
"""

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from berth.domain import canonical, names
from berth.domain.documents import Model, Wants
from berth.domain.errors import InvalidModel

MAX_BYTES = 16 * 1024
MAX_DEPTH = 8
_MAX_REASON = 500


class ServingYaml(BaseModel):
    """The file's content. `keep`: newest versions kept loaded; `pin`: the newest version to serve."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep: StrictInt = Field(default=1, ge=1, le=8)
    pin: StrictInt | None = Field(default=None, ge=1, le=names.MAX_VERSION)


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
    """Return the model's wants with the wishes in them; raise InvalidModel for a missing pin."""
    if wishes.pin is not None and wishes.pin not in model.present:
        there = ", ".join(str(number) for number in model.present[-8:]) or "none"
        raise InvalidModel(
            f"serving.yaml pins version {wishes.pin}, which is not admitted (admitted: {there})"
        )
    return model.wants.model_copy(
        update={"keep": wishes.keep, "pin": wishes.pin, "source_generation": generation}
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
    node = yaml.compose(data, Loader=yaml.SafeLoader)
    if isinstance(node, yaml.MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise InvalidModel("serving.yaml: a key is there twice")


def _first_line(error: Exception) -> str:
    return str(error).replace("\n", " ")[:200]
