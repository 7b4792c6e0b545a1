"""Collecting: what was deleted, or belongs to a closed account, goes: records first, bytes last.

Part of the fleet's hourly sweep. `look` writes nothing; `carry_out` works under the fleet's lease,
looks again before each step, and stops where the lease ends: the next sweep goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from berth.app import control
from berth.app.goodbyes import KEEP_SECONDS, Goodbyes
from berth.app.leasing import HeldLease
from berth.app.orphans import Orphans
from berth.domain import accounts, documents, garbage, names, serving_config
from berth.domain.canonical import digest
from berth.domain.documents import (
    Admission,
    Customer,
    Model,
    Policy,
    Projection,
    Shard,
)
from berth.domain.errors import Damaged
from berth.domain.garbage import Rubbish, ShardView
from berth.domain.manifest import SAVED_MODEL
from berth.domain.names import VersionName
from berth.domain.shard_status import ShardStatus
from berth.ports import Clock, ObjectStat, ObjectStore

# A sweep's share of each kind of work; what is left over is the next one's.
MAX_ACCOUNTS = 50
MAX_DOCUMENTS = 200
MAX_MARKS = 500
MAX_FOLDERS = 50
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Collecting:
    """Finds and removes what nobody needs any more."""

    models: ObjectStore
    control: ObjectStore
    clock: Clock

    def look(self, shards: Mapping[str, Shard]) -> Rubbish:
        """Return what is due, within a sweep's share. Writes nothing."""
        folders = self._folders()
        views = self._views(shards)
        rows = self.control.list("models/")
        policy = self._policy()
        closed = self._goodbyes.closed(policy)
        shown = self._shown(rows) | garbage.named(views)
        rest = {v for v in folders if (v.model.servable, v.number) not in shown}
        marks = self._marks()
        now = self.clock.now()
        nobodys = self._orphans.sort(rest, garbage.young(marks, policy=policy, now=now))
        sure = {
            version: since for version, since in marks.items() if version not in nobodys.unknown
        }
        found = garbage.sort(nobodys.orphans, sure, views, policy=policy, now=now)
        return replace(
            found,
            erase=tuple(c for c, (known, then) in closed.items() if known != then)[:MAX_ACCOUNTS],
            clear=tuple(c for c, (_, then) in closed.items() if accounts.leaving(then))[
                :MAX_ACCOUNTS
            ],
            shorten=self._due(rows, views, policy, {c: then for c, (_, then) in closed.items()}),
            mark=found.mark[:MAX_MARKS],
            unmark=found.unmark[:MAX_MARKS],
            delete=found.delete[:MAX_FOLDERS],
            resume=tuple(nobodys.died[:MAX_FOLDERS]),
        )

    def carry_out(self, held: HeldLease, rubbish: Rubbish) -> None:
        """Do what was found, each step after another look at what it is about."""
        if rubbish.empty:
            return
        policy = self._policy()
        for customer in held.while_left(rubbish.erase, keep=KEEP_SECONDS):
            self._goodbyes.decide(customer, policy)
        for servable in held.while_left(rubbish.shorten, keep=KEEP_SECONDS):
            self._shorten(servable, policy)
        for version in held.while_left(rubbish.mark, keep=KEEP_SECONDS):
            self._mark(version)
        for version in held.while_left(rubbish.unmark, keep=KEEP_SECONDS):
            self.control.delete(documents.mark_name(version))
        for version in held.while_left(rubbish.delete, keep=KEEP_SECONDS):
            self._delete(held, version)
        share = MAX_DOCUMENTS
        for customer in held.while_left(rubbish.clear, keep=KEEP_SECONDS):
            share = self._goodbyes.empty(held, customer, share)

    @property
    def _orphans(self) -> Orphans:
        return Orphans(self.control, self.clock)

    @property
    def _goodbyes(self) -> Goodbyes:
        return Goodbyes(self.control, self.clock)

    def _policy(self) -> Policy:
        known = control.read(self.control, documents.POLICY, Policy).document
        return known or Policy()

    def _folders(self) -> set[VersionName]:
        """The versions that the models bucket has bytes of; templates are nobody's and stay."""
        found = (names.parse_upload(stat.name) for stat in self.models.list(""))
        return {subject for subject in found if isinstance(subject, VersionName)}

    def _views(self, shards: Mapping[str, Shard]) -> tuple[ShardView, ...]:
        return tuple(self._view(name) for name in shards)

    def _view(self, shard: str) -> ShardView:
        """The status is read first: what it says of the live config is no newer than that."""
        status = control.read(self.control, documents.status_name(shard), ShardStatus).document
        boot = self.control.get(documents.boot_name(shard))
        live = self.control.get(documents.live_name(shard))
        texts = [stored.data.decode() for stored in (boot, live) if stored is not None]
        same = boot is not None and live is not None and boot.data == live.data
        return ShardView(
            shard=shard,
            status=status,
            configs=tuple(serving_config.parse(text) for text in texts),
            live_digest=digest(live.data) if live is not None else "",
            boot_live=boot.stat.updated if boot is not None and same else None,
        )

    def _shown(self, rows: Sequence[ObjectStat]) -> set[tuple[str, int]]:
        found = set()
        for stat in rows:
            numbers = Projection.from_metadata(stat.metadata).versions
            found |= {(_servable(stat), number) for number in numbers}
        return found

    def _marks(self) -> dict[VersionName, datetime]:
        """Since when bytes are known to be named by nothing, by the bucket's own clock."""
        found = {}
        for stat in self.control.list(documents.MARKS):
            version = garbage.marked(stat.name)
            if version is not None:
                found[version] = stat.updated
        return found

    def _due(
        self,
        rows: Sequence[ObjectStat],
        views: tuple[ShardView, ...],
        policy: Policy,
        closed: Mapping[str, Customer],
    ) -> tuple[str, ...]:
        """Return the servables whose documents can be shortened."""
        found: list[str] = []
        for stat in rows:
            if len(found) == MAX_DOCUMENTS:
                break
            servable = _servable(stat)
            account = closed.get(servable.partition(".")[0])
            if self._may_go(stat, account, policy) and self._lets_go(
                servable, account, views, policy
            ):
                found.append(servable)
        return tuple(found)

    def _may_go(self, stat: ObjectStat, account: Customer | None, policy: Policy) -> bool:
        """Whether a document is worth a read, by its listing."""
        if stat.metadata.get("versions", "") == "0":
            return False
        gone, now = stat.metadata.get("gone", ""), self.clock.now()
        young = bool(gone) and not garbage.passed(gone, policy.garbage_seconds, now)
        if stat.metadata.get("deleted", "0") != "0" and not young:
            return True
        if account is None:
            return not young and Projection.from_metadata(stat.metadata).retired
        return accounts.leaving(account)

    def _lets_go(
        self,
        servable: str,
        account: Customer | None,
        views: tuple[ShardView, ...],
        policy: Policy,
    ) -> bool:
        try:
            name = documents.model_name(names.servable(servable))
            held = control.read(self.control, name, Model)
        except Damaged as error:
            log.error("damaged document", model=servable, reason=str(error))
            return False
        if held.document is None:
            return False
        now = self.clock.now()
        owner = account or self._account(held.document.customer)
        after = garbage.shortened(held.document, owner, policy=policy, now=now)
        gone = garbage.let_go(servable, held.document, after, held.generation, views)
        return after != held.document and gone

    def _account(self, customer: str) -> Customer | None:
        name = documents.customer_name(customer)
        return control.read(self.control, name, Customer).document

    def _shorten(self, servable: str, policy: Policy) -> None:
        """The next tick tells the shards, and takes the projections away where no version is left."""
        name = names.servable(servable)

        def edit(known: Model | None) -> Model | None:
            if known is None:
                return None
            account = self._account(name.customer)
            return garbage.shortened(known, account, policy=policy, now=self.clock.now())

        control.change(self.control, documents.model_name(name), Model, edit)

    def _mark(self, version: VersionName) -> None:
        name = documents.mark_name(version)
        if self.control.stat(name) is None:
            self.control.put(name, b"{}", if_generation=0)

    def _delete(self, held: HeldLease, version: VersionName) -> None:
        """Delete one version's bytes, saved_model.pb first, until the lease ends.

        First its number is burnt, by compare-and-swap: a promotion that begins now finds it so.
        """
        if version in self._orphans.documented(version.model):
            return
        now = self.clock.now()
        burnt = control.change(
            self.control,
            documents.admission_name(version),
            Admission,
            lambda known: None if garbage.under_way(known, now) else garbage.burnt(known, now),
        ).document
        if garbage.under_way(burnt, now) or version in self._orphans.documented(version.model):
            return
        files = [stat.name for stat in self.models.list(version.folder)]
        files.sort(key=lambda name: name != version.folder + SAVED_MODEL)
        deleted = 0
        for name in held.while_left(files, keep=KEEP_SECONDS):
            self.models.delete(name)
            deleted += 1
        if deleted == len(files):
            self.control.delete(documents.mark_name(version))


def _servable(stat: ObjectStat) -> str:
    return stat.name.removeprefix("models/").removesuffix(".json")
