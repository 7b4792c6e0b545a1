"""How the checks of a real deployment judge what they see; the deployment is a canned one."""

import json
from types import SimpleNamespace

import pytest

from infra import functions, grants
from infra.smoke import cluster, ends, identities, platform
from infra.smoke.attempts import CREATE, DELETE, LIST, PERMISSIONS
from infra.smoke.check import Disproved, until

ADDRESS = "10.11.0.7"


def answer(status, body=None):
    return SimpleNamespace(
        status_code=status, ok=status < 400, text=json.dumps(body or {}), json=lambda: body or {}
    )


class Iam:
    """A session that answers as IAM would for one function, with what it may do besides."""

    def __init__(self, function, besides=()):
        self.own, self.besides = grants.read().of(function), besides

    def request(self, method, url, params, timeout):
        path = url.removeprefix("https://storage.googleapis.com").removeprefix("/upload")
        bucket, _, name = path.removeprefix("/storage/v1/b/p-berth-").partition("/o")
        name = (params.get("name") or name.strip("/")).replace("%2F", "/")
        listing = {"GET": LIST if not name else PERMISSIONS[0]}
        permission = {"POST": CREATE, "DELETE": DELETE, **listing}[method]
        access = self.own.buckets.get(bucket)
        may = access and access.using(permission, name or "anything")
        if may or (permission, bucket) in self.besides:
            return answer({"POST": 412, "DELETE": 404, "GET": 404}[method] if name else 200)
        return answer(403)

    def post(self, url, json, timeout):
        topic = url.removesuffix(":testIamPermissions").rsplit("/", 1)[1]
        if "pubsub" in url:
            may = topic in self.own.publish or ("publish", topic) in self.besides
            return answer(200, {"permissions": json["permissions"] if may else []})
        return answer(
            200, {"permissions": [one for one in json["permissions"] if one in self.besides]}
        )


class Target:
    """What the checks ask of a deployment, answered from values."""

    def __init__(self, **known):
        self.project, self.name, self.image = "p", "smoke-1", "image"
        self.site = SimpleNamespace(
            bucket=lambda role: f"p-berth-{role}",
            variables={"alert_emails": ["ann@berth.dev"]},
            google=SimpleNamespace(projects_api="https://projects/v1"),
        )
        self.besides = known.pop("besides", {})
        self.known = known

    def acting_as(self, identity):
        (name,) = [n for n, one in functions.read().items() if one.identity == identity]
        return Iam(name, self.besides.get(name, ()))

    def read(self, method, url, body=None):
        return self.known[url.rsplit("/", 1)[1]]

    def status(self, path):
        return 200, self.known["fleet"]

    def series(self, metric, **asked):
        return self.known["series"](asked)

    def serving_pods(self, shard=""):
        return [{"metadata": {"name": name}, "status": {"podIP": ADDRESS}} for name in "ab"]

    def run_pod(self, pod):
        return self.known["pods"](pod["metadata"]["labels"])

    def ended(self, pod):
        (container,) = pod["spec"]["containers"]
        code, reason = self.known["ends"][pod["metadata"]["name"].removeprefix("smoke-1-")]
        state = {"exitCode": code, "reason": reason, "finishedAt": "2026-01-01T12:00:00Z"}
        status = {"name": container["name"], "state": {"terminated": state} if reason else {}}
        return {"metadata": {"name": "x", "uid": "u"}, "status": {"containerStatuses": [status]}}

    def email(self, identity):
        return f"{identity}@p.iam.gserviceaccount.com"

    def kubectl(self, *words):
        return self.known[words[0]]


def test_identities_that_can_do_what_the_table_says_are_proved():
    assert " attempts, " in identities.objects(Target())
    assert identities.topics(Target()).startswith("7 identities, ")


@pytest.mark.parametrize("bucket", ["uploads", "models", "control"])
@pytest.mark.parametrize("permission", [CREATE, DELETE])
def test_an_identity_that_can_do_more_is_named(permission, bucket):
    target = Target(besides={"probe_model": {(permission, bucket)}})
    with pytest.raises(Disproved, match=f"probe_model must not .* {bucket}/.*: allowed"):
        identities.objects(target)


def test_a_right_on_a_topic_or_on_the_project_too_many_is_named():
    target = Target(besides={"status": {("publish", "shard-requests")}})
    with pytest.raises(Disproved, match="status may publish on shard-requests"):
        identities.topics(target)
    target = Target(besides={"on_upload": {"storage.objects.get"}})
    with pytest.raises(Disproved, match=r"on_upload has storage\.objects\.get on the project"):
        identities.topics(target)


def connections(**opened):
    def pod(labels):
        who = labels.get("app") or labels["app.kubernetes.io/name"]
        places = opened[who.replace("-", "_")]
        every = [f"{ADDRESS}:8500", f"{ADDRESS}:8501", "199.36.153.8:443", "1.1.1.1:443"]
        return "\n".join(f"{one} {'open' if one in places else 'closed'}" for one in every)

    return pod


RIGHT = {
    "stranger": (),
    "berth_router": (f"{ADDRESS}:8500", f"{ADDRESS}:8501"),
    "tensorflow_serving": ("199.36.153.8:443",),
}


def test_a_network_that_is_closed_but_for_what_is_meant_is_proved():
    told = cluster.network_policy(Target(pods=connections(**RIGHT)))
    assert told == "7 connections, 3 of them open"


@pytest.mark.parametrize(
    ("who", "places", "told"),
    [
        ("stranger", (f"{ADDRESS}:8501",), f"stranger to {ADDRESS}:8501: True"),
        ("berth_router", (), f"router to {ADDRESS}:8500: False"),
        ("tensorflow_serving", ("199.36.153.8:443", "1.1.1.1:443"), "server to 1.1.1.1:443: True"),
        ("tensorflow_serving", (), "server to 199.36.153.8:443: False"),
    ],
)
def test_a_connection_that_is_not_as_meant_is_named(who, places, told):
    with pytest.raises(Disproved, match=told):
        cluster.network_policy(Target(pods=connections(**{**RIGHT, who: places})))


def test_a_pod_that_said_nothing_proves_nothing():
    with pytest.raises(Disproved, match=r"stranger to .*: None"):
        cluster.network_policy(Target(pods=lambda labels: ""))


@pytest.mark.parametrize(("count", "proved"), [(0, True), (40, True), (41, False)])
def test_listings_of_an_idle_fleet_are_counted_per_pod(count, proved):
    target = Target(series=lambda _: [{"points": [{"value": {"int64Value": str(count)}}]}])
    if proved:
        assert cluster.mounts(target).startswith(f"{count} listings")
    else:
        with pytest.raises(Disproved, match="41 listings"):
            cluster.mounts(target)


def latencies(slow=""):
    def series(asked):
        milliseconds = 9500.0 if slow and slow in asked["filter"] else 1500.0
        return [{"points": [{"value": {"doubleValue": milliseconds}}]}]

    return series


def test_cold_starts_are_told_in_seconds_and_a_slow_function_is_named():
    assert "on_upload 1.5/1.5 s" in platform.cold_starts(Target(series=latencies()))
    assert "probe_model 9.5/9.5 s" in platform.cold_starts(
        Target(series=latencies("berth-probe-model"))
    )
    with pytest.raises(Disproved, match=r"too slow: on_upload; p50/p95: on_upload 9\.5/9\.5 s"):
        platform.cold_starts(Target(series=latencies("berth-on-upload")))


def test_no_cold_start_yet_is_told():
    assert "status none" in platform.cold_starts(Target(series=lambda _: []))


CHANNEL = {"name": "c1", "type": "email", "labels": {"email_address": "ann@berth.dev"}}
POLICY = {"displayName": "Berth: dead letters", "notificationChannels": ["c1"]}


@pytest.mark.parametrize(
    ("channels", "policies", "told"),
    [
        ([], [POLICY], "no channel that is on for ann@berth.dev"),
        ([{**CHANNEL, "enabled": False}], [POLICY], "no channel that is on"),
        ([CHANNEL], [{**POLICY, "notificationChannels": []}], "tell not everybody: Berth: dead"),
        ([CHANNEL], [{**POLICY, "enabled": False}], "tell not everybody: Berth: dead"),
        ([CHANNEL], [], "there are none"),
    ],
)
def test_alerts_that_reach_nobody_are_named(channels, policies, told):
    known = {
        "notificationChannels": {"notificationChannels": channels},
        "alertPolicies": {"alertPolicies": policies},
    }
    with pytest.raises(Disproved, match=told):
        platform.alerts(Target(**known))


def test_alerts_that_reach_everybody_are_proved():
    known = {
        "notificationChannels": {"notificationChannels": [CHANNEL]},
        "alertPolicies": {"alertPolicies": [POLICY]},
    }
    assert platform.alerts(Target(**known)) == "1 policies tell ann@berth.dev"


def fleet(ready):
    return {"shards": {"a": {"replicas": [{"ready": ready}]}, "b": {"replicas": [{"ready": True}]}}}


def passes(*shards):
    return {"entries": [{"jsonPayload": {"shard": one}} for one in shards]}


def test_shards_that_were_looked_at_prove_the_egress():
    target = Target(fleet=fleet(ready=True), **{"entries:list": passes("a", "b", "a")})
    assert platform.egress(target) == "a: 1 replicas seen, b: 1 replicas seen"


def test_a_shard_without_a_pass_or_without_replicas_is_named():
    with pytest.raises(Disproved, match="no pass over b since"):
        platform.egress(Target(fleet=fleet(ready=True), **{"entries:list": passes("a")}))
    with pytest.raises(Disproved, match="no ready replica of a"):
        platform.egress(Target(fleet=fleet(ready=False), **{"entries:list": passes("a", "b")}))
    with pytest.raises(Disproved, match="the fleet"):
        platform.egress(Target(fleet={"shards": {}}))


ENDS = {
    "oom": (137, "OOMKilled"),
    "segfault": (139, "Error"),
    "abort": (134, "Error"),
    "killed": (137, "Error"),
}


def test_ends_that_are_told_apart_are_proved():
    assert ends.exits(Target(ends=ENDS)) == (
        "oom: 137 OOMKilled, segfault: 139 Error, abort: 134 Error, killed: 137 Error"
    )


@pytest.mark.parametrize(
    ("which", "seen", "told"),
    [
        ("oom", (137, "Error"), "^oom: 137 Error$"),
        ("segfault", (1, "Error"), "^segfault: 1 Error$"),
        ("killed", (137, "OOMKilled"), "^killed: 137 OOMKilled$"),
        ("abort", (0, ""), "^abort: nothing$"),
    ],
)
def test_an_end_that_is_told_as_another_is_named(which, seen, told):
    with pytest.raises(Disproved, match=told):
        ends.exits(Target(ends={**ENDS, which: seen}))


def figures(*names):
    containers = [{"name": "tensorflow-serving", "usage": {"memory": "314Mi"}}]
    items = [{"metadata": {"name": name}, "containers": containers} for name in names]
    return json.dumps({"items": items})


def test_memory_that_is_told_of_every_server_is_proved():
    known = Target(auth="yes\n", get=figures("a", "b"))
    assert ends.memory(known) == "2 servers, at most 314 MiB"


@pytest.mark.parametrize(
    ("may", "names", "told"),
    [("yes", ("a",), "memory of b$"), ("no", ("a", "b"), "reconcile-shard@.* may not")],
)
def test_memory_that_nobody_tells_is_named(may, names, told):
    with pytest.raises(Disproved, match=told):
        ends.memory(Target(auth=may, get=figures(*names)))


def test_waiting_ends_with_what_was_waited_for():
    assert until("it", lambda: True, seconds=1) < 1
    with pytest.raises(Disproved, match="it: not within 0 s"):
        until("it", lambda: False, seconds=0, every=0)
