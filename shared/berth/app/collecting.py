"""Collecting: what was deleted, or belongs to a closed account, goes: records first, bytes last.

Part of the fleet's hourly sweep. `look` writes nothing; `carry_out` works under the fleet's lease,
looks again before each step, and stops where the lease ends: the next sweep goes on from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from berth.app import control
from berth.app.leasing import HeldLease
from berth.domain import documents, garbage, names, serving_config
from berth.domain.canonical import digest
from berth.domain.documents import (
    Admission,
    Customer,
    GarbageMark,
    Model,
    Projection,
    RestartPolicy,
    Shard,
)
from berth.domain.garbage import Rubbish, ShardView
from berth.domain.manifest import SAVED_MODEL
from berth.domain.names import VersionName
from berth.domain.shard_status import ShardStatus
from berth.ports import Clock, ObjectStat, ObjectStore

# A sweep's share of each kind of work; what is left over is the next one's.
MAX_DOCUMENTS = 200
MAX_MARKS = 500
MAX_FOLDERS = 50


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
        shown = self._shown(rows) | garbage.named(views)
        orphans = {v for v in folders if (v.model.servable, v.number) not in shown}
        found = garbage.sort(
            {version for version in orphans if not self._needed(version)},
            self._marks(),
            views,
            policy=policy,
            now=self.clock.now(),
        )
        return replace(
            found,
            shorten=self._due(rows, views, policy)[:MAX_DOCUMENTS],
            mark=found.mark[:MAX_MARKS],
            unmark=found.unmark[:MAX_MARKS],
            delete=found.delete[:MAX_FOLDERS],
        )

    def carry_out(self, held: HeldLease, rubbish: Rubbish) -> None:
        """Do what was found, each step after another look at what it is about."""
        if rubbish.empty:
            return
        policy = self._policy()
        for servable in rubbish.shorten:
            held.check()
            self._shorten(servable, policy)
        for version in rubbish.mark:
            held.check()
            self._mark(version)
        for version in rubbish.unmark:
            held.check()
            self.control.delete(documents.mark_name(version))
        for version in rubbish.delete:
            if not self._delete(held, version):
                return

    def _policy(self) -> RestartPolicy:
        known = control.read(self.control, documents.POLICY, RestartPolicy).document
        return known or RestartPolicy()

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
        found = {}
        for stat in self.control.list(documents.MARKS):
            servable, _, number = stat.name.removeprefix(documents.MARKS).partition("/")
            name = names.servable(servable)
            version = VersionName(name, names.version(number.removesuffix(".json")))
            found[version] = datetime.fromisoformat(stat.metadata["since"])
        return found

    def _needed(self, version: VersionName) -> bool:
        """Whether a document has the version, or its admission is under way.

        A version is in its model's document before its admission ends: so the document is read last.
        """
        if self._documented(version):
            return True
        name = documents.admission_name(version)
        known = control.read(self.control, name, Admission).document
        return garbage.under_way(known, self.clock.now()) or self._documented(version)

    def _documented(self, version: VersionName) -> bool:
        name = documents.model_name(version.model)
        model = control.read(self.control, name, Model).document
        return model is not None and version.number in model.versions

    def _due(
        self, rows: Sequence[ObjectStat], views: tuple[ShardView, ...], policy: RestartPolicy
    ) -> tuple[str, ...]:
        """Return the servables whose documents can be shortened."""
        found = []
        for stat in rows:
            retired = Projection.from_metadata(stat.metadata).retired
            some = stat.metadata.get("versions", "") != "0"
            if not (some and (retired or stat.metadata.get("deleted", "0") != "0")):
                continue
            servable = _servable(stat)
            name = documents.model_name(names.servable(servable))
            held = control.read(self.control, name, Model)
            if held.document is None:
                continue
            after = self._shortened(held.document, policy)
            gone = garbage.let_go(servable, held.document, after, held.generation, views)
            if after != held.document and gone:
                found.append(servable)
        return tuple(found)

    def _shortened(self, model: Model, policy: RestartPolicy) -> Model:
        owner = documents.customer_name(model.customer)
        account = control.read(self.control, owner, Customer).document
        return garbage.shortened(model, account, policy=policy, now=self.clock.now())

    def _shorten(self, servable: str, policy: RestartPolicy) -> None:
        """The next tick tells the shards, and takes the projections away where no version is left."""
        control.change(
            self.control,
            documents.model_name(names.servable(servable)),
            Model,
            lambda known: None if known is None else self._shortened(known, policy),
        )

    def _mark(self, version: VersionName) -> None:
        since = self.clock.now().isoformat(timespec="milliseconds")
        name = documents.mark_name(version)
        if self.control.stat(name) is None:
            body = GarbageMark(since=since).encode()
            self.control.put(name, body, if_generation=0, metadata={"since": since})

    def _delete(self, held: HeldLease, version: VersionName) -> bool:
        """Delete one version's bytes, saved_model.pb first; return False when the lease ends.

        First its number is burnt, by compare-and-swap: a promotion that begins now finds it so.
        """
        now = self.clock.now()
        burnt = control.change(
            self.control,
            documents.admission_name(version),
            Admission,
            lambda known: None if garbage.under_way(known, now) else garbage.burnt(known, now),
        ).document
        if garbage.under_way(burnt, now) or self._documented(version):
            return True
        files = [stat.name for stat in self.models.list(version.folder)]
        for name in sorted(files, key=lambda name: name != version.folder + SAVED_MODEL):
            if held.seconds_left() <= 0:
                return False
            self.models.delete(name)
        self.control.delete(documents.mark_name(version))
        return True


def _servable(stat: ObjectStat) -> str:
    return stat.name.removeprefix("models/").removesuffix(".json")
