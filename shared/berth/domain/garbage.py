"""Garbage as pure decisions: which records and which bytes nobody needs any more.

A record goes when its deletion is older than the operator's policy says, or its account is to be erased,
and every shard was seen to have let go. Bytes go when nothing names them, and a mark says that
this was so for a while already.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from berth.domain import accounts, admission, documents, names
from berth.domain.documents import (
    Admission,
    Customer,
    Model,
    Policy,
    Verdict,
    Wants,
)
from berth.domain.errors import InvalidEvent
from berth.domain.manifest import SAVED_MODEL, Manifest, ManifestFile
from berth.domain.names import VersionName
from berth.domain.serving_config import Config
from berth.domain.shard_status import ModelRecord, ReplicaStatus, ShardStatus

COLLECTED = "collected"
BURNT = "the bytes under this number were deleted; upload a new version number"


@dataclass(frozen=True, slots=True)
class Rubbish:
    """What a sweep found: accounts to erase and to empty, documents to shorten, bytes to mark or delete,
    marks to take away.

    `resume` are promotions to be taken up again, `blocked` says what bytes that are due wait for.
    """

    erase: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()
    resume: tuple[VersionName, ...] = ()
    shorten: tuple[str, ...] = ()
    mark: tuple[VersionName, ...] = ()
    unmark: tuple[VersionName, ...] = ()
    delete: tuple[VersionName, ...] = ()
    blocked: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is to be written."""
        accounts = self.erase or self.clear
        return not (accounts or self.shorten or self.mark or self.unmark or self.delete)

    @property
    def told(self) -> tuple[str, ...]:
        """What is done, in words."""
        counts = (
            (len(self.erase), "erase {} accounts"),
            (len(self.clear), "empty {} erased accounts"),
            (len(self.shorten), "shorten {} documents"),
            (len(self.mark), "mark the bytes of {} versions"),
            (len(self.unmark), "take away {} marks"),
            (len(self.delete), "delete the bytes of {} versions"),
        )
        return tuple(text.format(count) for count, text in counts if count)


@dataclass(frozen=True, slots=True)
class ShardView:
    """What one shard names: its status document, and its boot and live config.

    `status` is None where there is none; `live_digest` is that of the live config's text; `boot_live`
    is when the boot config was written, None unless it says the same as the live one.
    """

    shard: str
    status: ShardStatus | None
    configs: tuple[Config, ...]
    live_digest: str
    boot_live: datetime | None = None

    def informed(self, replica: ReplicaStatus) -> bool:
        """Whether a replica runs the live config: it was told so, or it booted with the same text."""
        told = self.status.told.get(replica.key) if self.status else None
        if told is not None:
            return told.digest == self.live_digest
        began = replica.started_at
        return bool(
            began and self.boot_live is not None and datetime.fromisoformat(began) > self.boot_live
        )


def shortened(model: Model, account: Customer | None, *, policy: Policy, now: datetime) -> Model:
    """Return a model's document without what was given up for long enough; itself when nothing was.

    An erased account's model keeps nothing but the revision until which everything is deleted, so that
    what comes late is deleted too. A deletion stays noted for the same reason.
    """
    if account is not None and _over(model.wants, account):
        wants = accounts.forgotten(model, account.erased_revision)
        return model.model_copy(update={"versions": {}, "wants": wants})
    present = set(model.present)
    kept = {
        number: admitted
        for number, admitted in model.versions.items()
        if number in present
        or not passed(
            admitted.gone_at or _deletion(model.wants, number), policy.garbage_seconds, now
        )
    }
    return model if kept == model.versions else model.model_copy(update={"versions": kept})


def let_go(
    servable: str, before: Model, after: Model, generation: int, views: Collection[ShardView]
) -> bool:
    """Whether every shard of a model was seen to have let go of the versions that leave its document.

    Its record must be of this generation of the document, RETIRED where no version is left.
    """
    leaving = set(before.versions) - set(after.versions)
    statuses = {view.shard: view.status for view in views}
    for shard in before.shards:
        status = statuses.get(shard)
        record = status.models.get(servable) if status else None
        if record is None or record.document < generation:
            return False
        retired = record.state == "RETIRED"
        if not (retired or (after.versions and not leaving & _named(record))):
            return False
    return True


def named(views: Collection[ShardView]) -> set[tuple[str, int]]:
    """Return each (servable, version) that a config names or that a replica was seen to serve."""
    found: set[tuple[str, int]] = set()
    for view in views:
        for config in view.configs:
            found |= {(name, number) for name, entry in config.items() for number in entry.versions}
        for name, record in (view.status.models if view.status else {}).items():
            found |= {(name, number) for number in _named(record)}
    return found


def unsure(views: Collection[ShardView], since: datetime) -> str:
    """Return why a config that no shard has stored since then may still run somewhere, or "".

    A server that started later booted without what was marked, and one that was told the live config
    runs that.
    """
    for view in views:
        if view.status is None:
            return f"{view.shard} has no status"
        for replica in view.status.replicas:
            began = replica.started_at
            later = began and datetime.fromisoformat(began) > since
            if not later and not view.informed(replica):
                return f"{replica.name} was not told the live config yet"
    return ""


def marked(name: str) -> VersionName | None:
    """Return the version that a mark's object name speaks of, None for an object that is no mark."""
    servable, _, number = name.removeprefix(documents.MARKS).removesuffix(".json").partition("/")
    try:
        return VersionName(names.servable(servable), names.version(number))
    except InvalidEvent:
        return None


def young(
    marks: Mapping[VersionName, datetime], *, policy: Policy, now: datetime
) -> set[VersionName]:
    """Return the versions whose marks are too new for their bytes to go."""
    old = timedelta(seconds=policy.garbage_seconds)
    return {version for version, since in marks.items() if now - since < old}


def sort(
    orphans: Collection[VersionName],
    marks: Mapping[VersionName, datetime],
    views: Collection[ShardView],
    *,
    policy: Policy,
    now: datetime,
) -> Rubbish:
    """Say of bytes that nothing names, and of the marks there are, what comes next."""
    fresh = young(marks, policy=policy, now=now)
    due = [v for v in sorted(orphans) if v in marks and v not in fresh]
    waits = {version: unsure(views, marks[version]) for version in due}
    return Rubbish(
        mark=tuple(v for v in sorted(orphans) if v not in marks),
        unmark=tuple(v for v in sorted(marks) if v not in orphans),
        delete=tuple(v for v in due if not waits[v]),
        blocked=next((f"bytes wait: {why}" for why in waits.values() if why), ""),
    )


def under_way(known: Admission | None, now: datetime) -> bool:
    """Whether somebody judges or promotes a version, or has begun to and comes back."""
    if known is None:
        return False
    return not known.lease.free(now) or (bool(known.promoting) and not admission.used(known))


def died(known: Admission | None, now: datetime) -> bool:
    """Whether a promotion has begun and nobody is at it: it is to be taken up again."""
    return known is not None and under_way(known, now) and known.lease.free(now)


def burnt(found: Admission | None, now: datetime) -> Admission:
    """Return what is kept of a number whose bytes go: that no bytes can come under it again.

    Of its manifest stays how new the newest file was, so that the sweep knows what lies in the inbox.
    """
    known = found or Admission()
    if known.verdict is not None and known.verdict.reason == BURNT:
        return known
    verdict = Verdict(state="REJECTED", reason=BURNT, at=now.isoformat(timespec="milliseconds"))
    return Admission(
        manifest=_nameless(known.manifest),
        uploaded_at=known.uploaded_at,
        promoting=known.promoting or COLLECTED,
        promoted=(SAVED_MODEL,),
        verdict=verdict,
        refused_digest=known.refused_digest,
    )


def _nameless(manifest: Manifest) -> Manifest:
    newest = max((file.generation for file in manifest.files), default=0)
    file = ManifestFile(name=SAVED_MODEL, generation=newest, size=0, crc32c="")
    return Manifest(files=(file,) if newest else ())


def _over(wants: Wants, account: Customer) -> bool:
    """Whether the erasure of the closed account is decided, and the model knows of the closing."""
    known = account.state_revision == wants.account_revision
    return known and wants.closed and accounts.leaving(account)


def _deletion(wants: Wants, number: int) -> str:
    return max(wants.deleted_revision, wants.deleted_versions.get(number, ""))


def passed(revision: str, seconds: int, now: datetime) -> bool:
    """Whether so many seconds passed since a time (RFC 3339)."""
    return now - datetime.fromisoformat(revision) >= timedelta(seconds=seconds)


def _named(record: ModelRecord) -> set[int]:
    """The versions that a record says are announced or loaded."""
    loaded = {number for number, seen in record.versions.items() if seen.replicas}
    return {*record.announced, *loaded}
