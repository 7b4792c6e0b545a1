"""The planned IAM says exactly what infra/grants.yaml says, and nobody else gets anything."""

from collections import Counter

from infra import functions, grants
from tests.support import cloud_plan
from tests.support.cloud_plan import PROJECT

TABLE = grants.read()
UPLOADERS = {
    "acme": ["user:ann@example.com"],
    "globex": ["group:g@example.com", "user:bo@example.com"],
}
ROLES = f"projects/{PROJECT}/roles/"
PODS = (
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/"
    f"{PROJECT}.svc.id.goog/subject/ns/berth/sa/"
)
# Every role that is given on the project, because there is no narrower level.
ON_THE_PROJECT = {
    ("berth-builder", "roles/logging.logWriter", ""),
    (
        "berth-builder",
        "roles/storage.objectViewer",
        'resource.name == "projects/_/buckets/gcf-v2-sources-123456789012-europe-west1" || '
        'resource.name.startsWith("projects/_/buckets/gcf-v2-sources-123456789012-europe-west1/objects/")',
    ),
    ("berth-nodes", "roles/container.defaultNodeServiceAccount", ""),
}


def planned(kind):
    return list(cloud_plan.resources("prod", kind, uploaders=UPLOADERS).values())


def account(identity):
    return f"serviceAccount:{identity}@{PROJECT}.iam.gserviceaccount.com"


def expression(resource):
    return resource["condition"][0]["expression"] if resource.get("condition") else ""


def bucket(role):
    return f"{PROJECT}-berth-{role}"


def wanted(member, buckets):
    return [
        (
            member,
            bucket(role),
            f"{ROLES}berth{verb.title()}",
            grants.condition(objects, bucket(role)),
        )
        for role, access in buckets.items()
        for verb, objects in access.objects().items()
    ]


def test_bucket_grants_are_those_of_the_table_and_no_others():
    found = Counter(
        (one["member"], one["bucket"], one["role"], expression(one))
        for one in planned("google_storage_bucket_iam_member")
    )
    rows = wanted(f"{PODS}berth-serving", TABLE.serving.buckets)
    rows += wanted(f"{PODS}berth-router", TABLE.router.buckets)
    for name, function in functions.read().items():
        rows += wanted(account(function.identity), TABLE.of(name).buckets)
    rows.append((account("berth-builder"), bucket("bundles"), "roles/storage.objectViewer", ""))
    assert found == Counter(rows)


def test_each_verb_is_a_role_with_its_permissions_and_no_others():
    found = {
        one["role_id"]: sorted(one["permissions"])
        for one in planned("google_project_iam_custom_role")
    }
    used = {
        verb
        for row in (*TABLE.functions.values(), TABLE.serving, TABLE.router)
        for buckets in (row.buckets,)
        for access in buckets.values()
        for verb in access.objects()
    }
    verbs = {f"berth{verb.title()}": sorted(grants.PERMISSIONS[verb]) for verb in used}
    people = {
        "berthConnect": [f"container.clusters.{one}" for one in ("connect", "get")],
        "berthUpload": [f"storage.objects.{one}" for one in ("create", "delete", "get", "list")],
    }
    assert found == verbs | people


def test_topics_are_published_on_by_those_of_the_table_and_by_google():
    found = {
        (one["topic"], one["member"], one["role"])
        for one in planned("google_pubsub_topic_iam_member")
    }
    table = functions.read()
    rows = {
        (topic, account(table[name].identity), "roles/pubsub.publisher")
        for name, row in TABLE.functions.items()
        for topic in row.publish
    }
    pubsub = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    storage = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    rows.add(("uploads-finalized", storage, "roles/pubsub.publisher"))
    for function in table.values():
        if function.topic:
            rows.add((f"{function.topic}-dead", pubsub, "roles/pubsub.publisher"))
    assert found == rows


def test_functions_are_called_by_those_of_the_table_by_eventarc_and_by_named_people():
    asking = ["group:operations@example.com"]
    found = {
        (one["name"], one["member"], one["role"])
        for one in cloud_plan.resources(
            "prod", "google_cloud_run_v2_service_iam_member", status_invokers=asking
        ).values()
    }
    table = functions.read()
    rows = {("berth-status", asking[0], "roles/run.invoker")}
    for name, function in table.items():
        if not function.is_http:
            service = f"berth-{function.subscription}"
            rows.add((service, account("berth-trigger"), "roles/run.invoker"))
        for callee in TABLE.of(name).call:
            service = f"berth-{table[callee].subscription}"
            rows.add((service, account(function.identity), "roles/run.invoker"))
    assert found == rows


def test_a_customer_gets_exactly_its_folder():
    folders = {one["name"] for one in planned("google_storage_managed_folder")}
    assert folders == {"acme/", "globex/"}
    found = {
        (one["bucket"], one["managed_folder"], one["member"], one["role"], expression(one))
        for one in planned("google_storage_managed_folder_iam_member")
    }
    assert found == {
        (bucket("uploads"), f"{customer}/", member, f"{ROLES}berthUpload", "")
        for customer, members in UPLOADERS.items()
        for member in members
    }


def test_nobody_else_has_a_role_on_the_project():
    found = {
        (one["member"], one["role"], expression(one))
        for one in planned("google_project_iam_member")
    }
    assert found == {(account(who), role, said) for who, role, said in ON_THE_PROJECT}


def test_operators_reach_the_cluster_and_get_no_rights_in_it():
    operators = ["group:operators@example.com"]
    found = cloud_plan.resources(
        "prod", "google_project_iam_member", cluster_operators=operators
    ).values()
    given = [one["role"] for one in found if one["member"] in operators]
    assert given == [f"{ROLES}berthConnect"]


def test_no_identity_has_a_way_in_that_is_not_looked_at_here():
    """A new kind of grant needs a test of its own."""
    kinds = {
        resource["type"]
        for resource in cloud_plan.plan("prod", uploaders=UPLOADERS)["planned_values"][
            "root_module"
        ]["resources"]
        if "_iam_" in resource["type"]
    }
    assert kinds == {
        "google_artifact_registry_repository_iam_member",
        "google_cloud_run_v2_service_iam_member",
        "google_project_iam_custom_role",
        "google_project_iam_member",
        "google_pubsub_topic_iam_member",
        "google_storage_bucket_iam_member",
        "google_storage_managed_folder_iam_member",
    }


def test_images_are_written_by_the_builder_and_read_by_the_nodes():
    found = {
        (one["repository"], one["member"], one["role"])
        for one in planned("google_artifact_registry_repository_iam_member")
    }
    assert found == {
        ("berth", account("berth-builder"), "roles/artifactregistry.writer"),
        ("berth", account("berth-nodes"), "roles/artifactregistry.reader"),
    }
