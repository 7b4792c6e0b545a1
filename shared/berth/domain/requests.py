"""What a function is asked to do: identities only, never the content of the event that caused it."""

from dataclasses import dataclass
from typing import Literal

from berth.domain.names import BadName, ModelName, VersionName

Subject = VersionName | ModelName | BadName
CustomerEventKind = Literal["signed_up", "plan_changed", "keys_changed", "closed", "model.deleted"]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object of the inbox was finalized."""

    bucket: str
    name: str
    generation: int


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """Judge a version, take up a serving.yaml, or answer an object whose name is no version's."""

    subject: Subject
    message: str


@dataclass(frozen=True, slots=True)
class ShardRequest:
    """Make one pass over one shard. `message` identifies the delivery's cause across redeliveries."""

    shard: str
    message: str


@dataclass(frozen=True, slots=True)
class FleetTick:
    """Look at the whole fleet; with `sweep`, also compare the inbox with the admissions."""

    message: str
    sweep: bool = False


@dataclass(frozen=True, slots=True)
class CustomerEvent:
    """Something happened to a customer. `revision` (RFC 3339, UTC) orders events about one customer.

    `keys` are the SHA-256 digests of all keys that the customer has from then on. `pool` is None where the
    event says nothing of it.
    """

    kind: CustomerEventKind
    customer: str
    revision: str
    plan: str = ""
    model: str = ""
    version: int | None = None
    keys: tuple[str, ...] = ()
    pool: str | None = None
