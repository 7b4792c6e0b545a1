"""Owning: a model's document follows the state of its customer's account, whoever wrote last."""

from collections.abc import Callable

from berth.app import control, projecting
from berth.app.control import Held
from berth.domain import accounts, documents
from berth.domain.documents import Customer, Model
from berth.domain.names import ModelName
from berth.ports import ObjectStore


def change(
    store: ObjectStore, name: ModelName, edit: Callable[[Model | None], Model | None], *, at: str
) -> Held[Model]:
    """Edit a model's document, bring it under its account, project it; return it as it then is. `at` is
    the time (RFC 3339) that is noted of versions that go.

    The account is read after the document was written, and whoever closes or opens the account looks
    for documents after having written it: one of the two sees the other.
    """
    path = documents.model_name(name)
    held = control.change(store, path, Model, lambda known: accounts.noted(edit(known), at=at))
    if held.document is None:
        return held
    owner = documents.customer_name(name.customer)
    account = control.read(store, owner, Customer).document
    if account is not None:
        held = control.change(store, path, Model, lambda known: _under(known, account, at))
    if held.document is not None:
        projecting.project_model(store, held.document, held.generation)
    return held


def _under(known: Model | None, account: Customer, at: str) -> Model | None:
    return None if known is None else accounts.noted(accounts.under(known, account), at=at)
