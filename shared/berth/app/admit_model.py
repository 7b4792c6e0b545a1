"""admit_model: judge an uploaded version, promote it, place it, and say what was decided."""

from dataclasses import dataclass

from berth.app.admit_version import AdmitVersion
from berth.app.admit_wishes import AdmitWishes
from berth.app.verdicts import Verdicts
from berth.domain import names
from berth.domain.names import BadName, ModelName
from berth.domain.outcome import Outcome
from berth.domain.requests import AdmissionRequest
from berth.ports import Clock


@dataclass(frozen=True, slots=True)
class AdmitModel:
    """Send each subject to the one that answers it."""

    versions: AdmitVersion
    wishes: AdmitWishes
    verdicts: Verdicts
    clock: Clock

    def handle(self, request: AdmissionRequest) -> Outcome:
        """Judge. Verdicts are outcomes, not errors; what is raised comes again."""
        subject = request.subject
        if isinstance(subject, BadName):
            return self._answer(subject)
        if isinstance(subject, ModelName):
            return self.wishes.handle(subject)
        return self.versions.handle(subject, request.message)

    def _answer(self, bad: BadName) -> Outcome:
        if not names.answerable(bad.answer):
            return Outcome("converged", reason="unanswerable name")
        body = {"state": "REJECTED", "reason": bad.reason, "at": self.clock.now().isoformat()}
        self.verdicts.answer(bad.answer, body, once=True)
        return Outcome("changed", actions=("answer",), reason=bad.reason)
