"""on_customer_event: sign-ups, plans and goodbyes -> accounts, starter models and retirements."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from berth.app import control, owning, rooms
from berth.domain import accounts, documents, names, placement
from berth.domain.documents import AdmittedVersion, Customer, Model, Policy, Template
from berth.domain.errors import InvalidEvent, Unavailable
from berth.domain.model_events import TrainingRequested
from berth.domain.names import ModelName, VersionName
from berth.domain.outcome import Outcome
from berth.domain.requests import CustomerEvent, Subject
from berth.ports import Clock, ObjectStore, Outbox

MAX_EARLIER_OBJECTS = 5000


@dataclass(frozen=True, slots=True)
class OnCustomerEvent:
    """Apply one customer event; a second delivery finds everything done."""

    uploads: ObjectStore
    control: ObjectStore
    outbox: Outbox
    clock: Clock

    def handle(self, event: CustomerEvent) -> Outcome:
        """Raises InvalidEvent for an unknown plan or pool, Unavailable while there is no shard.

        What is told of a customer before the sign-up waits for it: Unavailable too.
        """
        if event.kind == "signed_up":
            return self._signed_up(event)
        if event.kind == "plan_changed":
            self._require_pool(event)
            change = functools.partial(accounts.plan_changed, home_shard=self._home(event))
            return self._told(event, change)
        if event.kind == "keys_changed":
            return self._told(event, accounts.keys_changed)
        if event.kind == "closed":
            return self._closed(event)
        return self._forget(event)

    def _signed_up(self, event: CustomerEvent) -> Outcome:
        self._require_pool(event)
        home = self._home(event)
        account = control.change(
            self.control,
            documents.customer_name(event.customer),
            Customer,
            lambda known: accounts.signed_up(known, event, home_shard=home, now=self.clock.now()),
        ).document
        if account is None or account.state != "active":
            # An earlier delivery may have begun: what it left behind follows the account.
            self.outbox.request_shards(*self._follow(event.customer))
            return Outcome("converged", reason="closed by a newer event")
        shards = {*self._follow(event.customer)}
        shards.update(self._start(ModelName(event.customer, names.STARTER), account))
        self.outbox.announce(TrainingRequested(event.customer, account.plan, event.revision))
        earlier = self._earlier(event.customer)
        self.outbox.request_admission(*earlier)
        self.outbox.request_shards(*sorted(shards))
        return Outcome(
            "changed", model=f"{event.customer}.{names.STARTER}", shard=account.home_shard
        )

    def _home(self, event: CustomerEvent) -> str:
        """Return where a customer is at home after an event: where it was, if that is in its pool still."""
        known = control.read(self.control, documents.customer_name(event.customer), Customer)
        pool = accounts.pool(known.document, event)
        if known.document is not None:
            room = rooms.room(self.control, known.document.home_shard)
            if room is not None and room.pool == pool:
                return room.shard
        choose = functools.partial(placement.home, event.customer, pool=pool)
        chosen = choose(rooms.settled(self.control, choose))
        if chosen is None:
            called = f"pool {pool} has no shard" if pool else "there is no shard"
            raise Unavailable(f"{called} yet: the next tick makes the first ones")
        return chosen

    def _require_pool(self, event: CustomerEvent) -> None:
        """Raise InvalidEvent for a pool that the operator's policy does not name."""
        if event.pool:
            policy = control.read(self.control, documents.POLICY, Policy).document or Policy()
            if event.pool not in policy.pools:
                raise InvalidEvent(
                    f"there is no pool {event.pool}: {documents.POLICY} does not name it"
                )

    def _start(self, name: ModelName, account: Customer) -> tuple[str, ...]:
        """Give the customer the starter model, served in place from the templates folder."""
        template = control.read(
            self.control, documents.template_name(names.STARTER), Template
        ).document
        if template is None:
            raise Unavailable("the starter template is not installed")
        starter = AdmittedVersion(
            digest=template.digest,
            footprint=template.footprint,
            admitted_at=account.state_revision,
        )
        fresh = Model(
            customer=name.customer,
            model=name.model,
            base_path=f"templates/{names.STARTER}",
            versions={1: starter},
            wants=accounts.wants(account),
            shard=account.home_shard,
        )

        def edit(known: Model | None) -> Model | None:
            if known is None:
                return fresh
            known = accounts.under(known, account)
            if known.present or account.state_revision <= known.wants.deleted_revision:
                return known
            shard = known.shard if known.versions else fresh.shard
            return known.model_copy(update={"versions": {1: starter}, "shard": shard})

        return self._change(name, edit)

    def _earlier(self, customer: str) -> tuple[Subject, ...]:
        """Versions uploaded before the sign-up, whose judgement waited for it."""
        found: set[VersionName] = set()
        for stat in self.uploads.list(f"{customer}/", limit=MAX_EARLIER_OBJECTS):
            subject = names.parse_upload(stat.name)
            if isinstance(subject, VersionName):
                found.add(subject)
        return tuple(sorted(found))

    def _told(
        self, event: CustomerEvent, change: Callable[[Customer, CustomerEvent], Customer]
    ) -> Outcome:
        """Keep what an account is told, and bring its models under it: routers learn it from them."""
        account = control.change(
            self.control,
            documents.customer_name(event.customer),
            Customer,
            lambda known: None if known is None else change(known, event),
        ).document
        if account is None:
            raise Unavailable(f"{event.customer} has not signed up yet")
        shards = self._follow(event.customer)
        self.outbox.request_shards(*shards)
        return Outcome("changed", reason=f"plan {account.plan}, {len(account.keys)} keys")

    def _closed(self, event: CustomerEvent) -> Outcome:
        account = control.change(
            self.control,
            documents.customer_name(event.customer),
            Customer,
            lambda known: (
                None if known is None else accounts.closed(known, event, now=self.clock.now())
            ),
        ).document
        if account is None:
            raise Unavailable(f"{event.customer} has not signed up yet")
        shards = self._follow(event.customer)
        self.outbox.request_shards(*shards)
        return Outcome("changed" if shards else "converged", reason=f"account {account.state}")

    def _forget(self, event: CustomerEvent) -> Outcome:
        """Delete a model or a version of it, also one that is uploaded but not admitted yet."""
        owner = documents.customer_name(event.customer)
        account = control.read(self.control, owner, Customer).document
        if account is None:
            raise Unavailable(f"{event.customer} has not signed up yet")
        name = names.model(event.customer, event.model)

        def edit(known: Model | None) -> Model | None:
            if known is None and not self.uploads.list(name.folder, limit=1):
                return None
            return accounts.retired(known or _empty(name, account), event)

        shards = self._change(name, edit)
        self.outbox.request_shards(*shards)
        return Outcome("changed" if shards else "converged", model=event.model)

    def _follow(self, customer: str) -> tuple[str, ...]:
        """Bring every model of a customer under the account as it now is; return their shards."""
        shards: set[str] = set()
        for stat in self.control.list(f"models/{customer}."):
            name = stat.name.removeprefix("models/").removesuffix(".json")
            shards.update(self._change(names.servable(name), lambda _: None))
        return tuple(sorted(shards))

    def _change(
        self, name: ModelName, edit: Callable[[Model | None], Model | None]
    ) -> tuple[str, ...]:
        held = owning.change(self.control, name, edit, at=accounts.time(self.clock.now()))
        return held.document.shards if held.document is not None else ()


def _empty(name: ModelName, account: Customer) -> Model:
    """A model without versions: it remembers what was deleted before it was admitted."""
    return Model(
        customer=name.customer,
        model=name.model,
        base_path=name.folder.rstrip("/"),
        wants=accounts.wants(account),
        shard=account.home_shard,
    )
