"""The steps of a deployment, in order. Each can be done again: it does what is left, or nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import NotFound

from berth.adapters import gcs
from infra import bundle, functions, schedules, subscriptions, templates
from infra.deploy import serving_image
from infra.deploy.cluster import Cluster, objects
from infra.deploy.problems import Refused
from infra.deploy.site import Site
from infra.deploy.terraform import Terraform, write_bundle_variables
from infra.local import setup
from infra.schedules import Schedule

UNCHANGED = "unchanged"
_STATE: Mapping[str, Any] = {
    "iamConfiguration": {
        "uniformBucketLevelAccess": {"enabled": True},
        "publicAccessPrevention": "enforced",
    },
    "versioning": {"enabled": True},
}


@dataclass(frozen=True, slots=True)
class Step:
    """`do` returns what it did, or UNCHANGED; `dry` what it would do, one text each.

    `look` says where to look when it fails.
    """

    name: str
    do: Callable[[Site], str]
    dry: Callable[[Site], list[str]]
    look: str


def _observed_state(site: Site) -> dict[str, Any] | None:
    """What of the state bucket's settings is as it must be; None without a bucket."""
    try:
        found = site.google.storage.get_bucket(site.state_bucket)
    except NotFound:
        return None
    return {key: value for key, value in found._properties.items() if key in _STATE}


def _as_wanted(found: Mapping[str, Any]) -> bool:
    iam = found.get("iamConfiguration", {})
    return (
        iam.get("uniformBucketLevelAccess", {}).get("enabled") is True
        and iam.get("publicAccessPrevention") == "enforced"
        and found.get("versioning", {}).get("enabled") is True
    )


def _state_bucket(site: Site) -> str:
    client = site.google.storage
    found = _observed_state(site)
    if found is not None and _as_wanted(found):
        return UNCHANGED
    bucket = client.bucket(site.state_bucket)
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.versioning_enabled = True
    if found is None:
        client.create_bucket(bucket, location=site.region)
        return f"made gs://{site.state_bucket}"
    bucket.patch()
    return f"closed and versioned gs://{site.state_bucket} again"


def _state_bucket_dry(site: Site) -> list[str]:
    found = _observed_state(site)
    if found is None:
        return [f"make gs://{site.state_bucket}"]
    return [] if _as_wanted(found) else [f"close and version gs://{site.state_bucket}"]


def _bundles(site: Site) -> str:
    into = functions.ROOT / "build" / "bundles"
    before = set(into.glob("*.zip"))
    paths = {name: bundle.write(one, into) for name, one in functions.read().items()}
    write_bundle_variables(site, paths)
    new = sorted(path.stem for path in paths.values() if path not in before)
    return f"built {', '.join(new)}" if new else UNCHANGED


def _infrastructure(site: Site) -> str:
    terraform = Terraform(site)
    terraform.init()
    plan = terraform.plan()
    if plan.empty:
        return UNCHANGED
    site.say(f"  {plan}; how far it is: tail -f {site.log}")
    terraform.apply(plan)
    return f"applied: {plan}"


def _infrastructure_dry(site: Site) -> list[str]:
    _bundles(site)
    terraform = Terraform(site, scratch=_observed_state(site) is None)
    terraform.init()
    return [f"{verb} {address}" for verb, address in terraform.plan(dry=True).changes]


def _manifests(site: Site) -> str:
    cluster = Cluster(site)
    if not cluster.connect():
        raise Refused(f"there is no cluster {site.project}/{site.region}/berth")
    changed = cluster.apply(objects(site))
    return f"applied {', '.join(changed)}" if changed else UNCHANGED


def _manifests_dry(site: Site) -> list[str]:
    cluster, wanted = Cluster(site), objects(site)
    if not cluster.connect():
        return [f"apply {len(wanted)} objects, once there is a cluster"]
    return [f"apply {one}" for one in cluster.changes(wanted)]


def _bring(site: Site, *, dry_run: bool) -> list[str]:
    targets = subscriptions.wanted(functions.read(), site.project, site.number)
    done = subscriptions.bring(
        site.google.subscriptions, targets, site.project, site.region, dry_run=dry_run
    )
    return [str(one) for one in done]


def _subscriptions(site: Site) -> str:
    done = _bring(site, dry_run=False)
    return f"{len(done)} settings and grants set and read back" if done else UNCHANGED


def _subscriptions_dry(site: Site) -> list[str]:
    if _observed_state(site) is None:
        return ["set back-off, dead letters, retention and grants on what Eventarc will have made"]
    try:
        return _bring(site, dry_run=True)
    except subscriptions.SubscriptionsError as error:
        return [f"set subscriptions, once they are there ({error})"]


def _template(site: Site) -> str:
    starter = setup.starter(lambda text: site.say(f"  {text}"))
    models = site.google.storage.bucket(site.bucket("models"))
    written = templates.install_templates(models, starter)
    control = gcs.GcsObjectStore(site.google.storage, site.bucket("control"))
    templates.record_template(control, starter)
    return f"installed {len(written)} files" if written else UNCHANGED


def _template_dry(site: Site) -> list[str]:
    models = site.google.storage.bucket(site.bucket("models"))
    try:
        there = any(True for _ in models.list_blobs(prefix="templates/starter/1/", max_results=1))
    except NotFound:
        there = False
    return [] if there else ["install the starter template"]


def bring_schedules(site: Site, wanted: Sequence[Schedule], *, dry_run: bool = False) -> list[str]:
    """Have Cloud Scheduler do what is wanted, and nothing else of ours; returns what that took."""
    client, region = site.google.scheduler, site.region
    done = schedules.apply_all(client, site.project, region, dry_run, wanted)
    return [f"{verb} {schedules.short(job)}" for verb, job in done]


def _schedules(site: Site) -> str:
    return ", ".join(bring_schedules(site, schedules.read())) or UNCHANGED


def _schedules_dry(site: Site) -> list[str]:
    if _observed_state(site) is None:
        return [f"create berth-{one.name}" for one in schedules.read()]
    return bring_schedules(site, schedules.read(), dry_run=True)


STEPS = (
    Step(
        "state bucket",
        _state_bucket,
        _state_bucket_dry,
        "gcloud storage buckets describe gs://<project>-berth-state",
    ),
    Step("bundles", _bundles, lambda _: [], "python -m infra.bundle"),
    Step(
        "infrastructure",
        _infrastructure,
        _infrastructure_dry,
        "the end of that file; quotas: gcloud compute regions describe <region>",
    ),
    Step(
        "serving image",
        serving_image.build,
        serving_image.dry,
        "gcloud builds list --region=<region>",
    ),
    Step(
        "router image",
        serving_image.build_router,
        serving_image.dry_router,
        "gcloud builds list --region=<region>",
    ),
    Step("manifests", _manifests, _manifests_dry, "kubectl -n berth get events"),
    Step(
        "subscriptions",
        _subscriptions,
        _subscriptions_dry,
        "gcloud eventarc triggers list --location=<region>; gcloud pubsub subscriptions list",
    ),
    Step(
        "starter template",
        _template,
        _template_dry,
        "gcloud storage ls --recursive gs://<project>-berth-models/templates/",
    ),
    Step("schedules", _schedules, _schedules_dry, "gcloud scheduler jobs list --location=<region>"),
)
