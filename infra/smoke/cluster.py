"""The cluster: identity, network and mounts of pods, as GKE really makes them."""

import json

import requests

from infra import grants
from infra.smoke import attempts, pods
from infra.smoke.check import Check, Disproved
from infra.smoke.target import Target

# private.googleapis.com, which Google's names resolve to here; and an address of the internet.
_GOOGLE, _INTERNET = ("199.36.153.8", 443), ("1.1.1.1", 443)
_SERVING = "berth-serving"
_IDLE_MINUTES = 60
# Listings an hour and pod that an idle fleet may cost: mounting again after a restart, no polling.
_LISTINGS = 20.0


def workload_identity(target: Target) -> str:
    """A pod of the serving account gets a token, and that token can do what grants.yaml says."""
    pod = pods.manifest(
        f"{target.name}-identity", target.image, pods.token(), pods.SERVERS, account=_SERVING
    )
    said = target.run_pod(pod)
    head, _, body = said.partition("\r\n\r\n")
    if " 200 " not in head.splitlines()[0]:
        raise Disproved(f"the metadata server gave no token: {head.splitlines()[0]}")
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {json.loads(body)['access_token']}"
    wrong, count = [], 0
    table = grants.read()
    for attempt in attempts.serving(table, target.name):
        method, path, asked = attempts.request(attempt, target.site.bucket(attempt.bucket))
        url = f"https://storage.googleapis.com{path}"
        answer = session.request(method, url, params=asked, timeout=60)
        wrong.append(attempts.verdict(attempt, answer.status_code))
        count += 1
    if found := [text for text in wrong if text]:
        raise Disproved("; ".join(found))
    return f"{count} attempts with the pods' own token"


def network_policy(target: Target) -> str:
    """Pods with other labels do not reach the servers, and servers do not reach the internet."""
    address = target.serving_pods()[0]["status"]["podIP"]
    ports = ((address, 8500), (address, 8501))
    stranger = _opened(target, "stranger", {"app": "stranger"}, *ports)
    router = _opened(target, "router", pods.ROUTER, *ports)
    server = _opened(target, "server", pods.SERVERS, _GOOGLE, _INTERNET, ports[0])
    wanted = {
        **{f"stranger to {host}:{port}": False for host, port in ports},
        **{f"router to {host}:{port}": True for host, port in ports},
        f"server to {_GOOGLE[0]}:{_GOOGLE[1]}": True,
        f"server to {_INTERNET[0]}:{_INTERNET[1]}": False,
        f"server to {address}:8500": False,
    }
    seen = {
        f"{who} to {where}": one
        for who, found in (stranger, router, server)
        for where, one in found.items()
    }
    wrong = [f"{what}: {seen.get(what)}" for what, must in wanted.items() if seen.get(what) != must]
    if wrong:
        raise Disproved("; ".join(wrong))
    return f"{len(wanted)} connections, {sum(wanted.values())} of them open"


def _opened(
    target: Target, who: str, labels: dict[str, str], *places: tuple[str, int]
) -> tuple[str, dict[str, bool]]:
    script = pods.connects(*places)
    pod = pods.manifest(f"{target.name}-{who}", target.image, script, labels)
    return who, pods.opened(target.run_pod(pod))


def mounts(target: Target) -> str:
    """The models bucket's listings in the last hour, by Cloud Monitoring."""
    bucket = target.site.bucket("models")
    found = target.series(
        "storage.googleapis.com/api/request_count",
        filter=f'resource.labels.bucket_name = "{bucket}" AND metric.labels.method = "ListObjects"',
        minutes=str(_IDLE_MINUTES),
        perSeriesAligner="ALIGN_SUM",
        crossSeriesReducer="REDUCE_SUM",
    )
    count = sum(int(p["value"].get("int64Value", 0)) for one in found for p in one["points"])
    pods_count = len(target.serving_pods())
    if count > _LISTINGS * pods_count:
        raise Disproved(
            f"{count} listings of {bucket} in an hour by {pods_count} pods (more than {_LISTINGS:.0f} "
            "each): a cache is off, or the hour was not idle"
        )
    return f"{count} listings of {bucket} in an hour by {pods_count} pods"


CHECKS = (
    Check(
        "workload-identity",
        "A serving pod reads the models and its boot configuration as the Kubernetes account "
        "berth/berth-serving, without a key, and can do nothing else with any object.",
        "Workload Identity Federation is GKE's metadata server and Google's IAM.",
        workload_identity,
    ),
    Check(
        "network-policy",
        "A pod without the label reaches neither port 8500 nor 8501 of a server, the router reaches "
        "both, and a server reaches Google and nothing of the internet.",
        "The local node agent enforces no NetworkPolicy; Dataplane V2 does.",
        network_policy,
    ),
    Check(
        "mount-caching",
        "Idle servers cost next to no listings: the mount's caches hold, though promoted folders are "
        "seen (end-to-end shows that). Run it after an idle hour.",
        "Locally the bucket's folder is the mount: there is no GCS FUSE.",
        mounts,
    ),
)
