"""Accounts: how customer events change a customer's document, in whatever order they come.

Each field keeps the newest revision applied and ignores older ones; the same event again changes
nothing. When Berth learned of something is noted by whoever writes it first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from berth.domain import quotas
from berth.domain.documents import Customer, Model, Wants
from berth.domain.requests import CustomerEvent

# Deletions that a model remembers of versions it does not have, so that a late admission is taken too.
MAX_DELETIONS = 1000


def time(now: datetime) -> str:
    """Return a time as it is noted (RFC 3339)."""
    return now.isoformat(timespec="milliseconds")


def signed_up(
    known: Customer | None, event: CustomerEvent, *, home_shard: str, now: datetime
) -> Customer:
    """Return the account after a sign-up, at home on `home_shard`; where it was for ""."""
    quotas.quota(event.plan)
    if known is None:
        return Customer(
            customer=event.customer,
            plan=event.plan,
            plan_revision=event.revision,
            state="active",
            state_revision=event.revision,
            home_shard=home_shard,
            state_learned=time(now),
            pool=event.pool or "",
            pool_revision=event.revision if event.pool is not None else "",
        )
    return _state(_plan(known, event, home_shard), event, "active", now)


def plan_changed(known: Customer, event: CustomerEvent, *, home_shard: str = "") -> Customer:
    """Return the account after a change of plan, at home on `home_shard`; where it was for ""."""
    quotas.quota(event.plan)
    return _plan(known, event, home_shard)


def pool(known: Customer | None, event: CustomerEvent) -> str:
    """Return the pool of an account after a sign-up or a change of plan; "" is the common one. An event that
    tells none leaves it.
    """
    if event.pool is None or (known is not None and event.revision <= known.pool_revision):
        return known.pool if known is not None else ""
    return event.pool


def keys_changed(known: Customer, event: CustomerEvent) -> Customer:
    """Return the account after its keys were replaced: the event lists all of them."""
    if event.revision <= known.keys_revision:
        return known
    return known.model_copy(update={"keys": event.keys, "keys_revision": event.revision})


def closed(known: Customer, event: CustomerEvent, *, now: datetime) -> Customer:
    """Return the account after it was closed."""
    return _state(known, event, "closed", now)


def erased(known: Customer, *, grace_seconds: int, now: datetime) -> Customer:
    """Return the account with its erasure decided, where it was closed, and known to be, for long enough.

    This one write decides for all its models: before it a sign-up restores everything, after it nothing.
    Keys from before the closing go with it.
    """
    if known.state != "closed" or leaving(known):
        return known
    since = [datetime.fromisoformat(at) for at in (known.state_revision, known.state_learned) if at]
    if now - max(since) < timedelta(seconds=grace_seconds):
        return known
    update: dict[str, object] = {"erased_revision": known.state_revision, "emptied": False}
    if known.keys_revision <= known.state_revision:
        update |= {"keys": (), "keys_revision": known.state_revision}
    return known.model_copy(update=update)


def leaving(known: Customer) -> bool:
    """Whether the account is closed and its erasure decided."""
    return known.state == "closed" and known.erased_revision == known.state_revision


def left(known: Customer) -> bool:
    """Whether the account is closed, and something of it is left or will be left to erase."""
    return known.state == "closed" and not (leaving(known) and known.emptied)


def emptied(known: Customer | None) -> Customer | None:
    """Return the account with its erasure carried out; itself where none is decided for how it is now."""
    if known is None or not leaving(known):
        return known
    return known.model_copy(update={"emptied": True})


def forgotten(model: Model, until: str) -> Wants:
    """Return what is left of an owner's wishes when all that a model holds is erased: which uploads are
    deleted. `until` is the revision of the closing; what came later and was admitted goes as well.
    """
    wants = model.wants
    known = {n: at for n, at in wants.deleted_versions.items() if at > until}
    late = {
        number: max(one.born, known.get(number, ""))
        for number, one in model.versions.items()
        if one.born > until
    }
    return Wants(
        source_generation=wants.source_generation,
        deleted_revision=max(wants.deleted_revision, until),
        deleted_versions={**known, **late},
        closed=wants.closed,
        account_revision=wants.account_revision,
        plan=wants.plan,
        plan_revision=wants.plan_revision,
        keys=wants.keys if wants.keys_revision > until else (),
        keys_revision=max(wants.keys_revision, until),
        pool=wants.pool,
        pool_revision=wants.pool_revision,
    )


def retired(model: Model, event: CustomerEvent) -> Model:
    """Return a model's document after `model.deleted`: of the model, or of one version of it.

    What was uploaded after the event happened stays, and what was uploaded before and is still on its
    way here goes.
    """
    whole, versions = model.wants.deleted_revision, dict(model.wants.deleted_versions)
    if event.version is None:
        whole = max(whole, event.revision)
    else:
        versions[event.version] = max(versions.get(event.version, ""), event.revision)
    told = {number: revision for number, revision in versions.items() if revision > whole}
    return _wants(model, {"deleted_revision": whole, "deleted_versions": _bounded(told, model)})


def _bounded(deleted: dict[int, str], model: Model) -> dict[int, str]:
    """Keep the newest deletions of versions that the model does not have, and all of those it has."""
    others = sorted((revision, number) for number, revision in deleted.items())
    others = [(revision, number) for revision, number in others if number not in model.versions]
    dropped = {number for _, number in others[: max(0, len(others) - MAX_DELETIONS)]}
    return {number: revision for number, revision in deleted.items() if number not in dropped}


def noted(model: Model | None, *, at: str) -> Model | None:
    """Return a model's document with the time since when a deletion is known to have taken a version."""
    if model is None:
        return None
    present = set(model.present)
    gone = {
        number: one.model_copy(update={"gone_at": at})
        for number, one in model.versions.items()
        if number not in present and not one.gone_at
    }
    return model.model_copy(update={"versions": {**model.versions, **gone}}) if gone else model


def wants(account: Customer) -> Wants:
    """Return the wishes of a new model of an account."""
    return Wants(
        account_revision=account.state_revision,
        plan=account.plan,
        plan_revision=account.plan_revision,
        keys=account.keys,
        keys_revision=account.keys_revision,
        pool=account.pool,
        pool_revision=account.pool_revision,
    )


def under(model: Model, account: Customer) -> Model:
    """Return a model's document under its account as it is now: closing retires, reopening restores,
    plan, keys and pool are the account's.

    What is of before an erasure does not come back with the account.
    """
    if model.wants.account_revision < account.state_revision:
        if model.wants.account_revision <= account.erased_revision != "":
            model = model.model_copy(update={"wants": forgotten(model, account.erased_revision)})
        closed = account.state == "closed"
        model = _wants(model, {"closed": closed, "account_revision": account.state_revision})
    if model.wants.plan_revision < account.plan_revision:
        plan = {"plan": account.plan, "plan_revision": account.plan_revision}
        model = _wants(model, plan)
    if model.wants.keys_revision < account.keys_revision:
        update = {"keys": account.keys, "keys_revision": account.keys_revision}
        model = _wants(model, update)
    if model.wants.pool_revision < account.pool_revision:
        update = {"pool": account.pool, "pool_revision": account.pool_revision}
        model = _wants(model, update)
    return model


def _wants(model: Model, update: Mapping[str, object]) -> Model:
    return model.model_copy(update={"wants": model.wants.model_copy(update=update)})


def _plan(known: Customer, event: CustomerEvent, home_shard: str) -> Customer:
    update: dict[str, object] = {
        "pool": pool(known, event),
        "home_shard": home_shard or known.home_shard,
    }
    if event.pool is not None:
        update["pool_revision"] = max(event.revision, known.pool_revision)
    if event.revision > known.plan_revision:
        update |= {"plan": event.plan, "plan_revision": event.revision}
    return known.model_copy(update=update)


def _state(known: Customer, event: CustomerEvent, state: str, now: datetime) -> Customer:
    if event.revision <= known.state_revision:
        return known
    update = {"state": state, "state_revision": event.revision, "state_learned": time(now)}
    return known.model_copy(update=update)
