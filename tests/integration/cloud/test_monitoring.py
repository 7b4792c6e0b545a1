"""What is measured is written, what is shown and woken for is measured."""

import ast
import json
import re

import pytest
import yaml

from infra.functions import ROOT
from infra.local.tfserving.metrics import Metrics
from tests.support import cloud_plan, log_lines
from tests.support.log_lines import extracted, matches

DASHBOARD = ROOT / "infra/terraform/dashboards/berth.json"
# Google's own metrics that we name, and where Google documents them.
_RUN = "https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run"
_PUBSUB = "https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-pubsub"
_KUBERNETES = "https://cloud.google.com/monitoring/api/metrics_kubernetes"
_STATE = "https://cloud.google.com/kubernetes-engine/docs/how-to/kube-state-metrics"
DOCUMENTED = {
    "pubsub.googleapis.com/subscription/num_undelivered_messages": _PUBSUB,
    "pubsub.googleapis.com/subscription/oldest_unacked_message_age": _PUBSUB,
    "run.googleapis.com/container/instance_count": _RUN,
    "run.googleapis.com/container/memory/utilizations": _RUN,
    "run.googleapis.com/request_count": _RUN,
    "run.googleapis.com/request_latencies": _RUN,
    "kubernetes.io/container/memory/limit_utilization": _KUBERNETES,
    "kubernetes.io/container/restart_count": _KUBERNETES,
    "kubernetes.io/node/cpu/allocatable_cores": _KUBERNETES,
}
# GKE's package of kube state metrics: the name, and the component that sends it.
STATE = {
    "kube_deployment_spec_replicas": "DEPLOYMENT",
    "kube_deployment_status_replicas_available": "DEPLOYMENT",
}
# What a line of a kind is counted as.
COUNTED = {
    "pass": {"berth_passes", "berth_pass_seconds"},
    "applied": {"berth_push_seconds"},
    "event refused": {"berth_refused"},
    "delivery refused": {"berth_redelivered"},
    "bug": {"berth_bugs"},
    "not answered": {"berth_not_answered"},
    "push not settled": {"berth_pushes_unsettled"},
    "replica replaced": {"berth_replicas_replaced"},
    "memory unknown": {"berth_memory_unknown"},
    "restart did not come back": {"berth_restarts_late"},
    "fleet full": {"berth_fleet_full"},
    "reservation not released": {"berth_reservations_kept"},
    "damaged document": {"berth_documents_damaged"},
    "answer not written": {"berth_answers_unwritten"},
    "placed": set(),  # an admission's audit trail: nothing to count
    "moves": set(),  # each step of a move, which the model's document tells too
}
# What each alert looks at.
WATCHED = {
    "Berth: a message was given up": {
        "pubsub.googleapis.com/subscription/num_undelivered_messages"
    },
    "Berth: messages are not handled": {
        "pubsub.googleapis.com/subscription/oldest_unacked_message_age"
    },
    "Berth: the fleet is not looked after": {"logging.googleapis.com/user/berth_ticks"},
    "Berth: a function fails": {
        "logging.googleapis.com/user/berth_bugs",
        "run.googleapis.com/request_count",
    },
    "Berth: a shard lacks replicas": {"kubernetes.io/container/restart_count", *STATE},
    "Berth: a restart did not come back": {"logging.googleapis.com/user/berth_restarts_late"},
    "Berth: a pool of shards is at its maximum": {"logging.googleapis.com/user/berth_fleet_full"},
    "Berth: the serving pool is at its maximum": {"kubernetes.io/node/cpu/allocatable_cores"},
    "Berth: models answer with errors": {":tensorflow:serving:request_count"},
}
OWN = "logging.googleapis.com/user/"


@pytest.fixture(scope="module")
def story():
    return log_lines.story()


@pytest.fixture(scope="module")
def metrics():
    found = cloud_plan.resources("prod", "google_logging_metric")
    return {values["name"]: values for values in found.values()}


@pytest.fixture(scope="module")
def alerts():
    return list(cloud_plan.resources("prod", "google_monitoring_alert_policy").values())


def test_a_line_is_counted_as_what_it_is(story, metrics):
    seen = set()
    for entry in story:
        message = entry["jsonPayload"]["message"]
        counted = {name for name, row in metrics.items() if matches(entry, row["filter"])}
        tick = message == "pass" and entry["jsonPayload"]["function"] == "reconcile_fleet"
        assert counted == COUNTED[message] | ({"berth_ticks"} if tick else set()), entry
        seen |= counted
    assert seen == set(metrics)


def test_other_services_lines_are_not_counted(story, metrics):
    for entry in story:
        entry = {**entry, "resource": {**entry["resource"], "labels": {"service_name": "other"}}}
        assert not [name for name, row in metrics.items() if matches(entry, row["filter"])]


def test_labels_and_values_are_in_the_lines(story, metrics):
    for name, row in metrics.items():
        declared = {label["key"] for label in row["metric_descriptor"][0]["labels"] or []}
        assert declared == set(row["label_extractors"] or {}), name
        for entry in (e for e in story if matches(e, row["filter"])):
            for label, extractor in (row["label_extractors"] or {}).items():
                assert extracted(entry, extractor), (name, label, entry)
            if row["value_extractor"]:
                assert isinstance(extracted(entry, row["value_extractor"]), float), (name, entry)


def test_reasons_are_few_kinds_not_texts(story, metrics):
    kinds = {
        extracted(entry, metrics[name]["label_extractors"]["reason"])
        for name in ("berth_refused", "berth_redelivered")
        for entry in story
        if matches(entry, metrics[name]["filter"])
    }
    assert kinds == {"InvalidEvent", "Unavailable"}


def test_every_line_of_trouble_in_the_code_has_a_metric():
    written = set()
    for path in (ROOT / "shared/berth").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                if called in ("log.warning", "log.error", "log.exception", "log.info"):
                    written.add(node.args[0].value)
    assert written == set(COUNTED)


def conditions(policy):
    """Filters and PromQL queries of an alert."""
    for condition in policy["conditions"]:
        for threshold in condition["condition_threshold"] or []:
            yield "filter", threshold["filter"]
            if threshold["denominator_filter"]:
                yield "filter", threshold["denominator_filter"]
        for query in condition["condition_prometheus_query_language"] or []:
            yield "promql", query["query"]


def tiles():
    """Filters and PromQL queries of the dashboard."""
    for tile in json.loads(DASHBOARD.read_text())["mosaicLayout"]["tiles"]:
        for data in tile["widget"]["xyChart"]["dataSets"]:
            query = data["timeSeriesQuery"]
            if "prometheusQuery" in query:
                yield "promql", query["prometheusQuery"]
            else:
                yield "filter", query["timeSeriesFilter"]["filter"]


def named(kind, text):
    """The metrics that a filter or a query names, ours as logging.googleapis.com/user/…"""
    if kind == "filter":
        return set(re.findall(r'metric\.type = "([^"]+)"', text))
    ours = {OWN + n for n in re.findall(r"logging_googleapis_com:user_(\w+)", text)}
    googles = set(re.findall(r"\b(?!logging_googleapis_com:user_)(\w+_googleapis_com:\w+)", text))
    quoted = set(re.findall(r'"__name__"="([^"]+)"', text))
    state = set(re.findall(r"\b(kube_\w+)\{", text))
    found = ours | {in_promql()[name] for name in googles} | quoted | state
    assert found, text
    return found


def in_promql():
    """Google's metrics by what PromQL calls them: the first slash a colon, all else an underscore.

    https://cloud.google.com/monitoring/promql/promql-mapping
    """
    return {re.sub(r"[^\w:]", "_", name.replace("/", ":", 1)): name for name in DOCUMENTED}


def queries(alerts):
    """All of both."""
    return [*tiles(), *(one for policy in alerts for one in conditions(policy))]


def test_every_metric_named_is_known(alerts, metrics):
    serving = exported()
    for kind, text in queries(alerts):
        for name in named(kind, text):
            if name.startswith(OWN):
                assert name.removeprefix(OWN) in metrics, name
            else:
                assert name in DOCUMENTED or name in STATE or name in serving, name


def exported():
    """What TensorFlow Serving exports, by the stand-in that its contract tests hold to the real one."""
    counters = Metrics()
    counters.request("m", "OK")
    counters.latency("m", "Predict", "GRPC", 1.0)
    return set(re.findall(r"^(:[\w:]+)\{", counters.text().decode(), re.MULTILINE))


def test_every_own_metric_is_looked_at(alerts, metrics):
    used = set().union(*(named(kind, text) for kind, text in queries(alerts)))
    assert {OWN + name for name in metrics} <= used


def test_labels_asked_for_are_there(alerts, metrics):
    """Own metrics are grouped by labels that they have; the servers' by those of the PodMonitoring."""
    monitoring = yaml.safe_load(
        (ROOT / "k8s/components/managed-prometheus/pod-monitoring.yaml").read_text()
    )
    pod = {row["to"] for row in monitoring["spec"]["targetLabels"]["fromPod"]}
    own = {"le", "status", "model_name", "namespace", "deployment", "subscription_id"}
    for kind, text in queries(alerts):
        if kind == "filter":
            continue
        for labels in re.findall(r"by \(([^)]*)\)", text):
            asked = {label.strip() for label in labels.split(",")}
            known = set().union(
                *(
                    metrics[name.removeprefix(OWN)]["label_extractors"] or {}
                    for name in named(kind, text)
                    if name.startswith(OWN)
                )
            )
            assert asked <= known | pod | own, text
    for tile in json.loads(DASHBOARD.read_text())["mosaicLayout"]["tiles"]:
        for data in tile["widget"]["xyChart"]["dataSets"]:
            chosen = data["timeSeriesQuery"].get("timeSeriesFilter")
            if chosen and OWN in chosen["filter"]:
                (name,) = named("filter", chosen["filter"])
                grouped = chosen["aggregation"].get("groupByFields", [])
                labels = metrics[name.removeprefix(OWN)]["label_extractors"] or {}
                assert {g.removeprefix("metric.label.") for g in grouped} <= set(labels), name


def test_the_cluster_sends_what_is_asked_for(alerts):
    (cluster,) = cloud_plan.resources("prod", "google_container_cluster").values()
    (monitoring,) = cluster["monitoring_config"]
    assert monitoring["managed_prometheus"][0]["enabled"]
    asked = {STATE[n] for kind, text in queries(alerts) for n in named(kind, text) if n in STATE}
    assert asked
    assert asked <= set(monitoring["enable_components"])


def test_metrics_that_do_not_exist_yet_stop_no_deploy(alerts):
    """Monitoring refuses a filter over a metric without a series: hashicorp/terraform-provider-google#11102."""
    for policy in alerts:
        for condition in policy["conditions"]:
            for query in condition["condition_prometheus_query_language"] or []:
                assert query["disable_metric_validation"]
            for threshold in condition["condition_threshold"] or []:
                assert OWN not in threshold["filter"]


def test_an_alert_looks_at_what_it_says_and_says_what_to_look_at_first(alerts):
    watched = {
        policy["display_name"]: set().union(*(named(*one) for one in conditions(policy)))
        for policy in alerts
    }
    assert watched == WATCHED
    for policy in alerts:
        (documentation,) = policy["documentation"]
        assert re.match(r"(?s).*^\s*1\. .+^\s*2\. ", documentation["content"], re.MULTILINE)
        assert policy["severity"] in ("CRITICAL", "ERROR", "WARNING")


def test_alerts_go_to_every_address():
    given = ["a@example.com", "b@example.com"]
    found = cloud_plan.resources(
        "dev", "google_monitoring_notification_channel", alert_emails=given
    )
    assert sorted(row["labels"]["email_address"] for row in found.values()) == given


def test_the_dashboards_tiles_do_not_overlap():
    taken = set()
    layout = json.loads(DASHBOARD.read_text())["mosaicLayout"]
    for tile in layout["tiles"]:
        assert tile["xPos"] + tile["width"] <= layout["columns"]
        for x in range(tile["xPos"], tile["xPos"] + tile["width"]):
            for y in range(tile["yPos"], tile["yPos"] + tile["height"]):
                assert (x, y) not in taken, tile["widget"]["title"]
                taken.add((x, y))
