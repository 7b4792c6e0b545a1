"""The documents of the control bucket: what is kept. Under which name: `object_names`, shown here too."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from berth.domain.canonical import Document
from berth.domain.footprint import Footprint as Footprint
from berth.domain.last_move import Move
from berth.domain.lease import Lease
from berth.domain.manifest import Manifest
from berth.domain.names import ModelName
from berth.domain.object_names import CUSTOMERS as CUSTOMERS
from berth.domain.object_names import FLEET_LEASE as FLEET_LEASE
from berth.domain.object_names import MARKS as MARKS
from berth.domain.object_names import POLICY as POLICY
from berth.domain.object_names import ROUTES as ROUTES
from berth.domain.object_names import SWEEP as SWEEP
from berth.domain.object_names import admission_name as admission_name
from berth.domain.object_names import admissions_prefix as admissions_prefix
from berth.domain.object_names import boot_name as boot_name
from berth.domain.object_names import customer_name as customer_name
from berth.domain.object_names import lease_name as lease_name
from berth.domain.object_names import ledger_name as ledger_name
from berth.domain.object_names import live_name as live_name
from berth.domain.object_names import mark_name as mark_name
from berth.domain.object_names import model_name as model_name
from berth.domain.object_names import projection_name as projection_name
from berth.domain.object_names import projections_prefix as projections_prefix
from berth.domain.object_names import routes_name as routes_name
from berth.domain.object_names import shard_name as shard_name
from berth.domain.object_names import status_name as status_name
from berth.domain.object_names import template_name as template_name
from berth.domain.object_names import waiting_name as waiting_name
from berth.domain.object_names import waiting_prefix as waiting_prefix
from berth.domain.placement import Decision
from berth.domain.policy import Policy as Policy

SHOWN_VERSIONS = 16


class Customer(Document):
    """An account. Each field that events change carries the newest revision applied (RFC 3339).

    `state_learned` is when Berth first knew of the state. `erased_revision` is the newest closing whose
    erasure was decided: from then on a sign-up begins anew; `emptied`, that all of that erasure is done
    but for the bytes. `keys` are the SHA-256 digests of the customer's keys.
    """

    customer: str
    plan: str
    plan_revision: str
    state: Literal["active", "closed"]
    state_revision: str
    home_shard: str
    state_learned: str = ""
    erased_revision: str = ""
    emptied: bool = False
    keys: tuple[str, ...] = ()
    keys_revision: str = ""
    pool: str = ""
    pool_revision: str = ""


class AdmittedVersion(Document):
    """A version that was judged, promoted and may be served.

    `uploaded_at` (RFC 3339) is when its newest file was stored; "" counts as admitted_at. `gone_at` is when
    Berth learned that a deletion took it. `bytes` is the size of what was promoted: 0 for a starter.
    """

    digest: str
    footprint: Footprint
    admitted_at: str
    uploaded_at: str = ""
    gone_at: str = ""
    bytes: int = Field(default=0, ge=0)

    @property
    def born(self) -> str:
        """What a deletion's revision is compared with: when the bytes came, not when we were done."""
        return self.uploaded_at or self.admitted_at


class Wants(Document):
    """What the owner of a model wants. `source_generation` is that of the serving.yaml it came from.

    A deletion takes what was uploaded until its revision: of the whole model (`deleted_revision`),
    or of one version (`deleted_versions`), known here or not yet. `closed` is the account's state as
    of `account_revision`; its plan, its keys and its pool follow in the same way. Nothing here depends on the
    order in which it was learnt.

    `canary` maps a version to its percentage of the requests that name none, `labels` names versions.
    """

    keep: int = Field(default=1, ge=1, le=8)
    pin: int | None = None
    canary: dict[int, int] = {}
    labels: dict[str, int] = {}
    source_generation: int = 0
    deleted_revision: str = ""
    deleted_versions: dict[int, str] = {}
    closed: bool = False
    account_revision: str = ""
    plan: str = ""
    plan_revision: str = ""
    keys: tuple[str, ...] = ()
    keys_revision: str = ""
    pool: str = ""
    pool_revision: str = ""


class Model(Document):
    """The one truth about a model. `base_path` is its folder in the models bucket, without slash.

    `placed` tells why it is where it is; nothing depends on it. `move` is the one under way, or the last.
    """

    customer: str
    model: str
    base_path: str
    wants: Wants = Wants()
    versions: dict[int, AdmittedVersion] = {}
    shard: str
    target: str | None = None
    placed: Decision | None = None
    move: Move | None = None

    @property
    def name(self) -> ModelName:
        """The model's name."""
        return ModelName(self.customer, self.model)

    @property
    def present(self) -> tuple[int, ...]:
        """The versions that no deletion took, ascending."""
        wants = self.wants
        return tuple(
            number
            for number, admitted in sorted(self.versions.items())
            if admitted.born > max(wants.deleted_revision, wants.deleted_versions.get(number, ""))
        )

    @property
    def stored_bytes(self) -> int:
        """The size of what was promoted of the present versions."""
        return sum(self.versions[number].bytes for number in self.present)

    @property
    def shards(self) -> tuple[str, ...]:
        """Where it is projected: its shard and, while it moves, its target."""
        return (self.shard,) if self.target is None else (self.shard, self.target)


class Projection(Document):
    """A model's document as one shard sees it; `document` is the generation it was made from.

    `arriving`: the shard is only the target of a move yet, and the model is at home elsewhere. `leaving`:
    the model has left the shard, and is at home elsewhere.
    """

    base_path: str
    keep: int
    pin: int | None
    retired: bool
    versions: dict[int, Footprint]
    document: int = 0
    arriving: bool = False
    leaving: bool = False
    canary: dict[int, int] = {}
    labels: dict[str, int] = {}
    plan: str = ""
    keys: tuple[str, ...] = ()

    def seen_by(self, shard: str, *, home: str) -> "Projection":
        """Return it as one of the model's shards sees it; `home` is the one that serves it."""
        return self.model_copy(update={"arriving": shard != home})

    def left(self) -> "Projection":
        """Return it as a shard sees it that the model has left: it lets go in its own order. What is
        served no more anywhere has no versions here.
        """
        kept = {} if self.retired else self.versions
        return self.model_copy(update={"leaving": True, "retired": True, "versions": kept})

    def metadata(self) -> dict[str, str]:
        """Return it as object metadata."""
        body = self.model_copy(update={"document": 0})
        return {"projection": body.encode().decode().rstrip(), "document": str(self.document)}

    @classmethod
    def from_metadata(
        cls, metadata: Mapping[str, str], *, document: int | None = None
    ) -> "Projection":
        """Read it from object metadata; `document` replaces the generation noted there."""
        made_from = int(metadata.get("document", "0")) if document is None else document
        return cls.decode(metadata.get("projection", "")).model_copy(update={"document": made_from})


def project(model: Model, *, generation: int = 0) -> Projection:
    """Return what a shard needs of a model's document: what its owner named, and its newest versions."""
    wants, numbers = model.wants, sorted(model.present, reverse=True)
    canary = {n: percent for n, percent in wants.canary.items() if n in numbers}
    labels = {label: n for label, n in wants.labels.items() if n in numbers}
    named = {n for n in (wants.pin, *canary, *labels.values()) if n in numbers}
    others = [n for n in numbers if n not in named]
    shown = named.union(others[: max(1, SHOWN_VERSIONS - len(named))])
    return Projection(
        base_path=model.base_path,
        keep=wants.keep,
        pin=wants.pin,
        retired=wants.closed or not numbers,
        versions={n: model.versions[n].footprint for n in sorted(shown)},
        document=generation,
        canary=canary,
        labels=labels,
        plan=wants.plan,
        keys=wants.keys,
    )


class Verdict(Document):
    """What was decided about one version. PENDING and INCOMPLETE are not final."""

    state: Literal["PENDING", "INCOMPLETE", "REJECTED", "ADMITTED"]
    reason: str
    at: str
    missing: tuple[str, ...] = ()
    refused: str = ""

    @property
    def final(self) -> bool:
        """Whether only other bytes can change it."""
        return self.state in ("REJECTED", "ADMITTED")


class Admission(Document):
    """The audit trail of one version, and the lease of whoever judges it.

    `digest` covers all that could be promoted of the upload; `promoted` names what is, from the
    moment `promoting` (its digest) is set: from then on the version is immutable.
    """

    manifest: Manifest = Manifest(files=())
    digest: str = ""
    uploaded_at: str = ""
    attempts: int = 0
    promoting: str = ""
    promoted: tuple[str, ...] = ()
    verdict: Verdict | None = None
    footprint: Footprint | None = None
    refused_digest: str = ""
    lease: Lease = Lease()


class Shard(Document):
    """The desired shape of a shard. Sizes in bytes; `restart_at` in RFC 3339.

    `reason` says why Berth changed `state`; "" where an operator did. `restarted_for` keeps the last day's
    restarts by evidence: when (RFC 3339), and what it was.
    """

    shard: str
    state: Literal["active", "draining", "removed"] = "active"
    reason: str = ""
    replicas_min: int = Field(default=2, ge=1)
    replicas_max: int = Field(default=4, ge=1)
    memory_bytes: int = Field(gt=0)
    max_models: int = Field(default=200, ge=1)
    pool: str = ""
    restart_at: str = ""
    restarted_for: dict[str, str] = {}


class Template(Document):
    """A starter model put into the models bucket at deploy: its digest and what was measured."""

    digest: str
    footprint: Footprint
