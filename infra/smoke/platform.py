"""The functions: events, egress, cold starts, alerts, and the whole way from upload to served."""

from datetime import UTC, datetime, timedelta

from infra import functions, subscriptions
from infra.smoke.check import Check, Disproved
from infra.smoke.target import Target

# Cold starts that an operator need not worry about, p95 in seconds; the judge carries TensorFlow.
_LONGEST = {"probe_model": 20.0}
_LONG = 8.0
_FRESH = timedelta(minutes=5)


def event_delivery(target: Target) -> str:
    """Eventarc's subscriptions are as `make deploy` set them."""
    table = functions.read()
    site = target.site
    wanted = subscriptions.wanted(table, site.project, site.number)
    clients = site.google.subscriptions
    left = subscriptions.bring(clients, wanted, site.project, site.region, dry_run=True)
    if left:
        raise Disproved("; ".join(map(str, left)))
    return f"{len(wanted)} subscriptions as functions.yaml says"


def egress(target: Target) -> str:
    """Every shard had a pass in the last minutes: the tick asks for one each minute.

    A pass reads the shard's objects from the API server and asks every pod.
    """
    status, fleet = target.status("/fleet")
    if status != 200 or not fleet["shards"]:
        raise Disproved(f"the fleet: {status} {fleet}")
    since = (datetime.now(UTC) - _FRESH).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "resourceNames": [f"projects/{target.project}"],
        "filter": 'resource.labels.service_name="berth-reconcile-shard" '
        f'jsonPayload.message="pass" timestamp>="{since}"',
        "pageSize": 1000,
    }
    found = target.read("POST", "https://logging.googleapis.com/v2/entries:list", body)
    seen = {one["jsonPayload"].get("shard") for one in found.get("entries", ())}
    if missing := sorted(fleet["shards"].keys() - seen):
        raise Disproved(f"no pass over {', '.join(missing)} since {since}")
    ready = {
        shard: sum(one["ready"] for one in row["replicas"])
        for shard, row in fleet["shards"].items()
    }
    if none := [shard for shard, count in ready.items() if not count]:
        raise Disproved(f"no ready replica of {', '.join(none)} was seen")
    return ", ".join(f"{shard}: {count} replicas seen" for shard, count in ready.items())


def cold_starts(target: Target) -> str:
    """Start-up latencies of the last day, by Cloud Monitoring."""
    told, slow = [], []
    for name, one in functions.read().items():
        service = subscriptions.service(one)
        half, most = (_latency(target, service, aligner) for aligner in (50, 95))
        if half is None or most is None:
            told.append(f"{name} none")
            continue
        told.append(f"{name} {half:.1f}/{most:.1f} s")
        if most > _LONGEST.get(name, _LONG):
            slow.append(name)
    seen = "p50/p95: " + ", ".join(told)
    if slow:
        raise Disproved(f"too slow: {', '.join(slow)}; {seen}")
    return seen


def _latency(target: Target, service: str, percentile: int) -> float | None:
    """A percentile in seconds; None where no instance started."""
    found = target.series(
        "run.googleapis.com/container/startup_latencies",
        filter=f'resource.labels.service_name = "{service}"',
        perSeriesAligner=f"ALIGN_PERCENTILE_{percentile:02d}",
        crossSeriesReducer="REDUCE_MAX",
    )
    values = [point["value"]["doubleValue"] for one in found for point in one["points"]]
    return max(values) / 1000 if values else None


def sandbox(target: Target) -> str:
    """A good model is admitted: without its seccomp filter the judge refuses to judge."""
    return target.journey("judged").judged()


def end_to_end(target: Target) -> str:
    """A customer's whole way."""
    return target.journey("served").run()


def alerts(target: Target) -> str:
    """Every alert policy is on and tells every address of alert_emails."""
    base = f"https://monitoring.googleapis.com/v3/projects/{target.project}"
    listed = target.read("GET", f"{base}/notificationChannels").get("notificationChannels", ())
    channels = {
        one["name"]: one["labels"]["email_address"]
        for one in listed
        if one["type"] == "email" and one.get("enabled", True)
    }
    wanted = set(target.site.variables["alert_emails"])
    if missing := wanted - set(channels.values()):
        raise Disproved(f"no channel that is on for {', '.join(sorted(missing))}")
    found = target.read("GET", f"{base}/alertPolicies").get("alertPolicies", ())
    own = [one for one in found if one["displayName"].startswith("Berth")]
    silent = [
        one["displayName"]
        for one in own
        if not one.get("enabled", True)
        or not wanted <= {channels.get(name, "") for name in one.get("notificationChannels", ())}
    ]
    if silent or not own:
        raise Disproved(
            f"policies that tell not everybody: {', '.join(silent) or 'there are none'}"
        )
    return (
        f"{len(own)} policies tell {', '.join(sorted(wanted)) or 'nobody: alert_emails is empty'}"
    )


CHECKS = (
    Check(
        "event-delivery",
        "Eventarc's subscriptions have the back-off, dead letters, retention and grants of functions.yaml.",
        "Eventarc makes them; only its API says how they are.",
        event_delivery,
    ),
    Check(
        "private-egress",
        "reconcile_shard reaches the cluster's private control plane and the pods by Direct VPC egress.",
        "The network, its firewall and the private names exist in the cloud alone.",
        egress,
    ),
    Check(
        "cold-starts",
        "A new instance of a function is ready within 8 s (the judge, with TensorFlow: 20 s) at p95.",
        "Cloud Run starts instances; local ones start before they are asked.",
        cold_starts,
    ),
    Check(
        "sandbox",
        "The judge's child runs under its seccomp filter, rlimits and in its private folder in Cloud "
        "Run's second generation: a good model is admitted.",
        "The execution environment is Cloud Run's own.",
        sandbox,
    ),
    Check(
        "alerts",
        "Every alert policy is on and tells every address of alert_emails.",
        "Cloud Monitoring has no emulator.",
        alerts,
    ),
    Check(
        "end-to-end",
        "A sign-up gets its starter model; an upload is judged, promoted, served and answers; a deleted "
        "model is gone from the servers.",
        "Locally all of it runs on stand-ins; here on the real parts, mount and all.",
        end_to_end,
    ),
)
