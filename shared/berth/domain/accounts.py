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
    """Return a model's document after `model.deleted`: of the model, or of one version of it.

    What was uploaded after the event happened stays, and what was uploaded before and is still on its
    way here goes.
    """
    wants = model.wants
    if event.version is None:
        return _wants(model, {"deleted_revision": max(wants.deleted_revision, event.revision)})
    newest = max(wants.deleted_versions.get(event.version, ""), event.revision)
    return _wants(model, {"deleted_versions": {**wants.deleted_versions, event.version: newest}})


def under(model: Model, account: Customer) -> Model:
    """Return a model's document under its account as it is now: closing retires, reopening restores."""
    if model.wants.account_revision >= account.state_revision:
        return model
    closed = account.state == "closed"
    return _wants(model, {"closed": closed, "account_revision": account.state_revision})


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
