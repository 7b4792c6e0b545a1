"""A finding is accepted only by a comment that stands in the resource and says why."""

import pytest

from infra.policies import reasons, scan
from infra.policies.reasons import Reason
from infra.policies.scan import Finding

TERRAFORM = """\
# checkov:skip=CKV_GCP_1:outside of every resource there is
resource "google_storage_bucket" "uploads" {
  #checkov:skip=CKV_GCP_62:data access audit logs tell it all
  name = "uploads"
}

resource "google_pubsub_topic" "topic" {
  # checkov:skip=CKV_GCP_83: Google's own key is enough for names
}
"""
MANIFESTS = """\
# the account
apiVersion: v1
kind: ServiceAccount
metadata:
  name: one
---
kind: Deployment
metadata:
  name: two
spec:
  # checkov:skip=CKV_K8S_11:a limit would slow the loads of models
  replicas: 1
"""
DOCKERFILE = "FROM scratch\n# checkov:skip=CKV_DOCKER_2:Kubernetes asks the server itself\n"


@pytest.fixture
def project(tmp_path):
    for name, text in {
        "infra/terraform/uploads.tf": TERRAFORM,
        "k8s/shard/all.yaml": MANIFESTS,
        "k8s/image/Dockerfile": DOCKERFILE,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_comment_counts_for_the_resource_that_it_stands_in(project):
    found = [(one.check, one.resource, one.place) for one in reasons.read(project)]
    tf, k8s = f"{project}/infra/terraform/uploads.tf", f"{project}/k8s"
    assert found == [
        ("CKV_GCP_1", "", f"{tf}:1"),
        ("CKV_GCP_62", "google_storage_bucket.uploads", f"{tf}:3"),
        ("CKV_GCP_83", "google_pubsub_topic.topic", f"{tf}:8"),
        ("CKV_K8S_11", "Deployment/two", f"{k8s}/shard/all.yaml:11"),
        ("CKV_DOCKER_2", "Dockerfile", f"{k8s}/image/Dockerfile:2"),
    ]
    assert reasons.read(project)[2].text == "Google's own key is enough for names"


@pytest.mark.parametrize(
    ("check", "resource", "text", "problem"),
    [
        ("CKV_GCP_62", "a.b", "audit logs tell it all", None),
        ("CKV2_GCP_10", "a.b", "audit logs tell it all", None),
        ("CKV_GCP_62", "a.b", "", "x.tf:1: CKV_GCP_62 is accepted for a.b without a reason"),
        ("CKV_GCP_62", "a.b", "not needed", "x.tf:1: CKV_GCP_62 is accepted for a.b without a"),
        ("CKV_GCP_62", "", "audit logs tell it all", "x.tf:1: CKV_GCP_62 is accepted for no"),
        ("", "a.b", "audit logs tell it all", "x.tf:1: names no rule"),
        ("all", "a.b", "audit logs tell it all", "x.tf:1: names no rule of checkov: all"),
    ],
)
def test_a_reason_must_name_its_rule_and_its_resource_and_say_something(
    check, resource, text, problem
):
    said = Reason(check, resource, text, "x.tf:1").problem()
    assert (said or "").startswith(problem or "")
    assert (said is None) == (problem is None)


FINDING = Finding("CKV_GCP_62", "a.b", "Bucket should log access", ("plan-dev.json",))


def why(check="CKV_GCP_62", resource="a.b", text="audit logs tell it all"):
    return Reason(check, resource, text, "x.tf:1")


def test_a_finding_with_a_reason_is_no_problem_and_any_other_is():
    assert scan.problems([FINDING], iter([why()])) == []
    assert scan.problems([FINDING], []) == [str(FINDING)]
    elsewhere = why(resource="a.c")
    assert len(scan.problems([FINDING], [elsewhere])) == 2


def test_a_reason_that_says_nothing_is_a_problem_even_where_something_was_found():
    (problem,) = scan.problems([FINDING], [why(text="")])
    assert "without a reason" in problem


def test_a_reason_for_what_is_not_found_is_a_problem():
    (problem,) = scan.problems([], [why()])
    assert problem == "x.tf:1: CKV_GCP_62 is accepted for a.b, which does not break it"
