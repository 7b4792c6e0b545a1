"""Names that customers choose: customers, models, versions and the objects under them.

Anything that does not match is refused with a reason, never guessed at.
"""

import re
from dataclasses import dataclass

from berth.domain.errors import InvalidEvent

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
VERSION = re.compile(r"[1-9][0-9]{0,15}")
MAX_VERSION = 10**15
MAX_VERSION_STEP = 10**6
RULE = "1 to 40 of a-z, 0-9 and inner hyphens"
# The starter models of all lie under this name in the models bucket: it is nobody's.
RESERVED = "templates"
# Every customer's first model, which no plan counts, served in place from the templates: no versions.
STARTER = "starter"
SERVING_YAML = "serving.yaml"
STATUS_SUFFIX = ".status.json"


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """One model of one customer."""

    customer: str
    model: str

    @property
    def servable(self) -> str:
        """The name TF Serving knows it by: `<customer>.<model>`."""
        return f"{self.customer}.{self.model}"

    @property
    def folder(self) -> str:
        """Its folder in the uploads and models buckets, with a slash at the end."""
        return f"{self.customer}/{self.model}/"


@dataclass(frozen=True, slots=True, order=True)
class VersionName:
    """One version of one model."""

    model: ModelName
    number: int

    @property
    def folder(self) -> str:
        """Its folder in the uploads and models buckets, with a slash at the end."""
        return f"{self.model.folder}{self.number}/"


@dataclass(frozen=True, slots=True)
class BadName:
    """An object that is no version's: where the answer goes and why."""

    answer: str
    reason: str


def customer(text: str) -> str:
    """Return a valid customer name or raise InvalidEvent."""
    if text == RESERVED:
        raise InvalidEvent(f"customer {_shown(text)} is not a valid name: it is reserved")
    return _label("customer", text)


def model(customer_text: str, model_text: str) -> ModelName:
    """Return a valid model name or raise InvalidEvent."""
    return ModelName(customer(customer_text), _label("model", model_text))


def version(text: str) -> int:
    """Return a version number: a plain decimal from 1 to 10^15 without leading zeros."""
    if not VERSION.fullmatch(text) or int(text) > MAX_VERSION:
        raise InvalidEvent(
            f"version {_shown(text)} is not a plain decimal from 1 to 10^15 without leading zeros"
        )
    return int(text)


def servable(text: str) -> ModelName:
    """Parse `<customer>.<model>`."""
    left, _, right = text.partition(".")
    return model(left, right)


def parse_upload(name: str) -> VersionName | ModelName | BadName | None:
    """Say what an object in the inbox belongs to.

    A version's file gives its VersionName, a model's serving.yaml its ModelName, Berth's own
    answers None, anything else a BadName.
    """
    parts = name.split("/")
    if name.endswith(STATUS_SUFFIX) and len(parts) <= 3:
        return None
    try:
        if len(parts) == 3 and parts[2] == SERVING_YAML:
            return model(parts[0], parts[1])
        if len(parts) < 4 or not parts[3]:
            raise InvalidEvent("objects belong under <customer>/<model>/<version>/")
        return VersionName(_uploadable(model(parts[0], parts[1])), version(parts[2]))
    except InvalidEvent as error:
        return BadName(answer="/".join(parts[:3]) + STATUS_SUFFIX, reason=str(error))


def _uploadable(name: ModelName) -> ModelName:
    if name.model == STARTER:
        raise InvalidEvent(f"the model {STARTER!r} is served from the templates: take another name")
    return name


def answerable(name: str) -> bool:
    """Return whether an answer may be written at this name: short, and no path tricks in it."""
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and part.isprintable() for part in parts)
    return plain and "\\" not in name and len(name.encode(errors="replace")) <= 512


def _label(what: str, text: str) -> str:
    if not isinstance(text, str) or not LABEL.fullmatch(text):
        raise InvalidEvent(f"{what} {_shown(text)} is not a valid name: {RULE}")
    return text


def _shown(text: object) -> str:
    return ascii(str(text)[:60])
