"""Accounts: how customer events change a customer's document, in whatever order they come.

Each field keeps the newest revision applied and ignores older ones; the same event again changes
nothing.
"""

from berth.domain import quotas
from berth.domain.documents import Customer, Model
from berth.domain.requests import CustomerEvent


def signed_up(known: Customer | None, event: CustomerEvent, *, home_shard: str) -> Customer:
    """Return the account after a sign-up. `home_shard` counts only for a new account."""
    quotas.quota(event.plan)
    if known is None:
        return Customer(
            customer=event.customer,
            plan=event.plan,
            plan_revision=event.revision,
            state="active",
            state_revision=event.revision,
            home_shard=home_shard,
        )
    return _state(_plan(known, event), event, "active")


def plan_changed(known: Customer, event: CustomerEvent) -> Customer:
    """Return the account after a change of plan."""
    quotas.quota(event.plan)
    return _plan(known, event)


def closed(known: Customer, event: CustomerEvent) -> Customer:
    """Return the account after it was closed."""
    return _state(known, event, "closed")


def retired(model: Model, event: CustomerEvent) -> Model:
    """Return a model's document after `closed` or `model.deleted`: the model, or one version of it.

    Versions admitted after the event happened stay.
    """
    wants = model.wants
    if event.version is None and wants.deleted_revision >= event.revision:
        return model
    older = {n for n, admitted in model.versions.items() if admitted.admitted_at <= event.revision}
    named = older if event.version is None else {event.version} & older
    if event.version is None and len(named) == len(model.versions):
        cause = "closed" if event.kind == "closed" else "model.deleted"
        return _wants(model, {"deleted": cause, "deleted_revision": event.revision})
    return _wants(model, {"deleted_versions": tuple(sorted({*wants.deleted_versions, *named}))})


def restored(model: Model, event: CustomerEvent) -> Model:
    """Return a model's document after its customer signed up again: what closing took comes back."""
    wants = model.wants
    if wants.deleted != "closed" or wants.deleted_revision >= event.revision:
        return model
    return _wants(model, {"deleted": "", "deleted_revision": event.revision})


def _wants(model: Model, update: dict[str, object]) -> Model:
    return model.model_copy(update={"wants": model.wants.model_copy(update=update)})


def _plan(known: Customer, event: CustomerEvent) -> Customer:
    if event.revision <= known.plan_revision:
        return known
    return known.model_copy(update={"plan": event.plan, "plan_revision": event.revision})


def _state(known: Customer, event: CustomerEvent, state: str) -> Customer:
    if event.revision <= known.state_revision:
        return known
    return known.model_copy(update={"state": state, "state_revision": event.revision})
