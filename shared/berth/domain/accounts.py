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

    Versions admitted later than the event stay.
    """
    wants = model.wants
    if event.version is not None:
        if event.version not in model.versions or event.version in wants.deleted_versions:
            return model
        gone = tuple(sorted({*wants.deleted_versions, event.version}))
        return model.model_copy(
            update={"wants": wants.model_copy(update={"deleted_versions": gone})}
        )
    if wants.deleted_revision >= event.revision:
        return model
    update = {"deleted": True, "deleted_revision": event.revision}
    return model.model_copy(update={"wants": wants.model_copy(update=update)})


def restored(model: Model, event: CustomerEvent) -> Model:
    """Return a model's document after its customer signed up again."""
    wants = model.wants
    if not wants.deleted or wants.deleted_revision >= event.revision:
        return model
    update = {"deleted": False, "deleted_revision": event.revision}
    return model.model_copy(update={"wants": wants.model_copy(update=update)})


def _plan(known: Customer, event: CustomerEvent) -> Customer:
    if event.revision <= known.plan_revision:
        return known
    return known.model_copy(update={"plan": event.plan, "plan_revision": event.revision})


def _state(known: Customer, event: CustomerEvent, state: str) -> Customer:
    if event.revision <= known.state_revision:
        return known
    return known.model_copy(update={"state": state, "state_revision": event.revision})
