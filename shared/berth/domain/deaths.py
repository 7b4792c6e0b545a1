"""Deaths of server processes: which versions they speak against.

A version whose load or first requests end the process never shows an END. What shows is a container
that restarted after it was told of the version. A node that is lost, an eviction or a deletion takes
the whole pod and so leaves no restart behind; a polite end is none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from berth.domain.observation import Exit, Observation, Pod
from berth.domain.quarantines import END_GRACE, PROBATION
from berth.domain.shard_status import Quarantine

# SIGILL, SIGTRAP, SIGABRT (TensorFlow's CHECK), SIGBUS, SIGFPE, SIGSEGV, SIGSYS: 128 + the signal.
CRASHES = frozenset({132, 133, 134, 135, 136, 139, 159})
POLITE = frozenset({0, 143})
UNKNOWN = frozenset(
    {"ContainerStatusUnknown", "Unknown"}
)  # a kubelet began anew: nobody saw the end
BOOT_FAILED = 255  # what TF Serving ends with when a model of its boot config did not load
BOOTS = 2
# Until when after its announcement a version is the only one suspected of a crash.
TRIAL = timedelta(seconds=60)
# A sweep (see END_GRACE), and the seconds that Kubernetes rounds off.
BLOW = END_GRACE + timedelta(seconds=1)
MAX_CRASHES = 2
MAX_DEATHS = 3

Suspects = dict[str, dict[int, Quarantine]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the deaths of one look say: the suspects, and which deaths are judged, this look's too."""

    suspects: Suspects
    deaths: tuple[str, ...]


def judge(seen: Observation) -> Judged:
    """Return the versions to withdraw now. The same death is judged once."""
    suspects: Suspects = {}
    present = {pod.uid for pod in seen.workload.pods}
    judged = {death for death in seen.status.deaths if death.split("/")[0] in present}
    before = frozenset(judged)
    for death, pod, exit_ in _deaths(seen):
        if death in before or not _after_the_push(exit_, seen):
            continue
        # One that is deleted or evicted is ended from outside, by force if it takes too long.
        if pod.terminating and not crashed(exit_):
            continue
        judged.add(death)
        accused = _loading(pod, exit_, seen)
        if accused is None:
            accused = _announced(pod, exit_, seen)
        for name, number, final in accused:
            held = seen.quarantined(name).get(number)
            suspects.setdefault(name, {})[number] = _withdrawn(held, exit_, final=final)
    return Judged(suspects, tuple(sorted(judged)))


def _deaths(seen: Observation) -> list[tuple[str, Pod, Exit]]:
    """The last end of each pod that has one, under the name by which it is remembered."""
    ended = ((pod, pod.exit) for pod in seen.workload.pods if pod.exit)
    return [(f"{pod.uid}/{exit_.at.isoformat()}", pod, exit_) for pod, exit_ in ended]


def crashed(exit_: Exit) -> bool:
    """Whether a process ended by its own doing: nobody outside kills like this."""
    return exit_.reason == "OOMKilled" or exit_.code in CRASHES


def _after_the_push(exit_: Exit, seen: Observation) -> bool:
    """Kubernetes tells whole seconds: compare in the same coin."""
    return (
        seen.live is not None
        and exit_.code not in POLITE
        and exit_.reason not in UNKNOWN
        and exit_.at >= seen.live.updated.replace(microsecond=0)
    )


def _loading(pod: Pod, exit_: Exit, seen: Observation) -> list[tuple[str, int, bool]] | None:
    """What the run that ended was told to load and no boot config has; None where that is nothing.

    Where it is not known what that run was told, only a crash counts.
    """
    if seen.live is None or not seen.unproven:
        return None
    told = seen.told.get(pod.ended_key)
    if (told is None and not crashed(exit_)) or (
        told is not None and told.digest not in ("", seen.live.digest)
    ):
        return None
    if _same_blow(pod, exit_, seen):
        return []
    return [
        (name, number, crashed(exit_))
        for name, number in seen.unproven
        if not seen.quarantined(name).get(number, _NONE).active
    ]


def _same_blow(pod: Pod, exit_: Exit, seen: Observation) -> bool:
    """Whether another replica ended a moment before, and something was withdrawn for it.

    A server has what it is told to let go of until its next sweep: not what it is told instead, the
    version before that as a rule, ended this one too.
    """
    withdrawn = any(
        held.active and held.alone
        for record in seen.status.models.values()
        for held in record.quarantined.values()
    )
    before = (death.split("/") for death in seen.status.deaths)
    return withdrawn and any(
        uid != pod.uid and timedelta() <= exit_.at - datetime.fromisoformat(at) <= BLOW
        for uid, at in before
    )


def _announced(pod: Pod, exit_: Exit, seen: Observation) -> list[tuple[str, int, bool]]:
    """What was announced last before a crash, or before boots that failed again and again.

    One crash alone may have any cause: the second since the announcement counts, or the first of a
    version that is on trial.
    """
    boots = exit_.code == BOOT_FAILED and pod.restarts >= BOOTS
    if not (crashed(exit_) or boots):
        return []
    born = {
        (name, number): datetime.fromisoformat(version.since)
        for name, record in seen.status.models.items()
        for number, version in record.versions.items()
        if number in record.announced and version.since
    }
    # An announcement of the same second may have come first.
    before = exit_.at + timedelta(seconds=1)
    recent = {key: at for key, at in born.items() if before - PROBATION <= at <= before}
    newest = max(recent.values(), default=None)
    again = newest is not None and _deaths_since(newest, seen) >= BOOTS
    return [
        (name, number, crashed(exit_) and before - at <= TRIAL)
        for (name, number), at in sorted(recent.items())
        if at == newest and (again or seen.quarantined(name).get(number, _NONE).alone)
    ]


def _deaths_since(moment: datetime, seen: Observation) -> int:
    """How many processes ended since then, as far as their pods are still there."""
    ended = {*seen.status.deaths, *(death for death, _, _ in _deaths(seen))}
    return sum(datetime.fromisoformat(death.split("/")[1]) >= moment for death in ended)


_NONE = Quarantine(reason="", transient=False, attempts=0, active=False)


def _withdrawn(held: Quarantine | None, exit_: Exit, *, final: bool) -> Quarantine:
    """Return the quarantine after one more death. `final`: the second such death ends its chances."""
    attempts = (held.attempts if held and held.alone else 0) + 1
    again = attempts < (MAX_CRASHES if final else MAX_DEATHS)
    word = "OOMKilled" if exit_.reason == "OOMKilled" else f"exit code {exit_.code}"
    fate = "it is tried again alone" if again else "it is not tried again"
    return Quarantine(
        reason=f"the server's process ended after it was given this version ({word}): {fate}",
        transient=again,
        attempts=attempts,
        alone=True,
    )
