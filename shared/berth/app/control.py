"""Typed access to the control bucket: documents with their generations, and compare-and-swap loops."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from berth.domain import accounts, admission, canonical, documents, rooming
from berth.domain.errors import Conflict, NotFound, Unavailable
from berth.ports import ObjectStore

D = TypeVar("D", bound=canonical.Document)
MAX_RACES = 20


@dataclass(frozen=True, slots=True)
class Held(Generic[D]):
    """A document as read: None and generation 0 when there is none."""

    document: D | None
    generation: int


def read(store: ObjectStore, name: str, kind: type[D]) -> Held[D]:
    """Return a document with its generation. Raises Damaged when it does not parse."""
    stored = store.get(name)
    if stored is None:
        return Held(None, 0)
    return Held(kind.decode(stored.data), stored.stat.generation)


def require(store: ObjectStore, name: str, kind: type[D]) -> D:
    """Return a document that must exist; raise NotFound."""
    document = read(store, name, kind).document
    if document is None:
        raise NotFound(f"there is no {name}")
    return document


def change(
    store: ObjectStore, name: str, kind: type[D], edit: Callable[[D | None], D | None]
) -> Held[D]:
    """Read, edit and write a document until no race is lost; an edit that changes nothing is not sent.

    Returns the document as it then is. `edit` returns None to leave things as they are.
    """
    for _ in range(MAX_RACES):
        held = read(store, name, kind)
        edited = edit(held.document)
        if edited is None or edited == held.document:
            return held
        try:
            return Held(edited, write(store, name, edited, if_generation=held.generation))
        except Conflict:
            continue
    raise Unavailable(f"{name} changed {MAX_RACES} times while it was being written")


def write(
    store: ObjectStore, name: str, document: canonical.Document, *, if_generation: int
) -> int:
    """Write a document if its generation still is the one observed. Raises Conflict.

    A model's document carries its projection and its size as metadata, so that one listing shows all of
    them; a shard's shape itself; an account whether it is closed and not erased whole, an admission that
    its number is used for ever.
    """
    metadata: dict[str, str] | None = None
    if isinstance(document, documents.Shard):
        metadata = rooming.note(document)
    if isinstance(document, documents.Customer):
        metadata = {"left": "1" if accounts.left(document) else ""}
    if isinstance(document, documents.Admission):
        metadata = {"used": "1"} if admission.used(document) else {}
    if isinstance(document, documents.Model):
        metadata = documents.project(document).metadata() | {
            "shard": document.shard,
            "target": document.target or "",
            "pool": document.wants.pool,
            "move": document.move.metadata() if document.move else "",
            "versions": str(len(document.versions)),
            "deleted": str(len(document.versions) - len(document.present)),
            "bytes": str(document.stored_bytes),
            "gone": min(
                (one.gone_at for one in document.versions.values() if one.gone_at), default=""
            ),
        }
    return store.put(name, document.encode(), if_generation=if_generation, metadata=metadata)
