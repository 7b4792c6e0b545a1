"""What each plan allows: a table, in bytes and counts."""

from dataclasses import dataclass

from berth.domain.errors import InvalidEvent

MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Quota:
    """Bounds of one customer.

    `models`, `versions` of one model and `bytes` of all versions together count what was admitted and
    not deleted; the starter does not count. `admissions_per_hour` are probes begun in a clock hour,
    `at_once` the versions judged at the same time: a fifth of the probe's instances at most, so that
    nobody's uploads take them all.
    `files` and `version_bytes` bound one version, `memory_mib` and `load_seconds` its load in the probe.
    `requests_per_second` is what one router lets through, twice that in a burst: routers do not tell
    each other, so a customer has as many times that as there are routers.
    """

    models: int
    versions: int
    bytes: int
    admissions_per_hour: int
    at_once: int
    files: int
    version_bytes: int
    memory_mib: int
    load_seconds: int
    requests_per_second: int


PLANS = {
    "free": Quota(
        models=2,
        versions=10,
        bytes=2 * GIB,
        admissions_per_hour=60,
        at_once=1,
        files=200,
        version_bytes=256 * MIB,
        memory_mib=1024,
        load_seconds=30,
        requests_per_second=50,
    ),
    "standard": Quota(
        models=20,
        versions=100,
        bytes=100 * GIB,
        admissions_per_hour=300,
        at_once=4,
        files=500,
        version_bytes=1024 * MIB,
        memory_mib=2048,
        load_seconds=60,
        requests_per_second=500,
    ),
    "enterprise": Quota(
        models=500,
        versions=1000,
        bytes=4096 * GIB,
        admissions_per_hour=1000,
        at_once=8,
        files=2000,
        version_bytes=4096 * MIB,
        memory_mib=3072,
        load_seconds=120,
        requests_per_second=5000,
    ),
}


def quota(plan: str) -> Quota:
    """Return a plan's bounds or raise InvalidEvent naming the plans there are."""
    if plan not in PLANS:
        raise InvalidEvent(f"unknown plan {plan[:60]!a}: one of {', '.join(sorted(PLANS))}")
    return PLANS[plan]


def requests_per_second() -> dict[str, int]:
    """Return what a customer of each plan may ask of one router in a second."""
    return {name: plan.requests_per_second for name, plan in PLANS.items()}
