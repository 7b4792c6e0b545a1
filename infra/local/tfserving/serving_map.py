"""The map from name and version to what serves it: replaced whole, once its readers are done."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from infra.local.tfserving.status import Code, StatusError


class Session(Protocol):
    """What can be closed; the rest of it is not this module's business."""

    def close(self) -> None:
        """Free everything."""


class Bundle(NamedTuple):
    """One version that serves."""

    name: str
    version: int
    session: Session


class _Snapshot:
    def __init__(self, bundles: Mapping[str, Mapping[int, Bundle]]) -> None:
        self.bundles = bundles
        self.latest = {name: each[max(each)] for name, each in bundles.items() if each}
        self.readers = 0


class ServingMap:
    """Readers hold the map they started with; `replace` waits for all readers of the one before."""

    def __init__(self) -> None:
        """Nothing serves yet."""
        self._done = threading.Condition()
        self._current = _Snapshot({})

    @contextlib.contextmanager
    def hold(self, name: str, version: int | None) -> Iterator[Bundle]:
        """The bundle of a version, or of the highest. Raises StatusError NOT_FOUND."""
        with self._done:
            snapshot = self._current
            snapshot.readers += 1
        try:
            if version is None:
                bundle, wanted = snapshot.latest.get(name), f"Latest({name})"
            else:
                bundle = snapshot.bundles.get(name, {}).get(version)
                wanted = f"Specific({name}, {version})"
            if bundle is None:
                raise StatusError(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
            yield bundle
        finally:
            with self._done:
                snapshot.readers -= 1
                if not snapshot.readers and snapshot is not self._current:
                    self._done.notify_all()

    def replace(self, bundles: list[Bundle]) -> None:
        """Publish a new map; returns when the slowest request of any model on the old one ended."""
        by_name: dict[str, dict[int, Bundle]] = {}
        for bundle in bundles:
            by_name.setdefault(bundle.name, {})[bundle.version] = bundle
        with self._done:
            old, self._current = self._current, _Snapshot(by_name)
            self._done.wait_for(lambda: not old.readers)
