"""Answers beside an upload: advisory, best effort, never read back."""

from dataclasses import dataclass
from typing import Any

import structlog

from berth.domain import canonical
from berth.domain.documents import Verdict
from berth.domain.errors import BerthError, Conflict
from berth.domain.names import STATUS_SUFFIX, VersionName
from berth.ports import ObjectStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Writes `<version>.status.json` into the inbox."""

    uploads: ObjectStore

    def tell(self, version: VersionName, verdict: Verdict, *, once: bool = False) -> None:
        """Write a version's verdict beside it; with `once`, only where there is no answer yet."""
        body = verdict.model_dump(mode="json")
        self.answer(
            version.folder.rstrip("/") + STATUS_SUFFIX,
            {key: value for key, value in body.items() if value not in ("", [], None)},
            once=once,
        )

    def answer(self, name: str, body: dict[str, Any], *, once: bool = False) -> None:
        """Write an answer; with `once`, only where there is none. A failure is logged, not raised."""
        try:
            if once and self.uploads.stat(name) is not None:
                return
            self.uploads.put(name, canonical.encode(body), if_generation=0 if once else None)
        except Conflict as error:
            if not once:
                log.warning("answer not written", object=name, reason=str(error))
        except BerthError as error:
            # The admission document holds the verdict; this copy is a courtesy.
            log.warning("answer not written", object=name, reason=str(error))
