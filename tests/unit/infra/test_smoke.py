"""What the checks of a real deployment try, how they judge, and that the list of them is told."""

import itertools
from dataclasses import dataclass, field

import pytest

from infra import functions, grants
from infra.manifests import pod_security
from infra.smoke import attempts, pods, running
from infra.smoke.attempts import CREATE, DELETE, GET, LIST, Attempt
from infra.smoke.check import Check, Disproved

MARK = "smoke-1"
TABLE = grants.read()
ALL = [*attempts.attempts(TABLE, functions.read(), MARK), *attempts.serving(TABLE, MARK)]


def test_every_identity_tries_every_verb_in_every_bucket():
    who = {one.who for one in ALL}
    assert who == {*functions.read(), "serving pods"}
    for name, bucket, permission in itertools.product(
        who, ("uploads", "models", "control"), attempts.PERMISSIONS
    ):
        assert any((a.who, a.bucket, a.permission) == (name, bucket, permission) for a in ALL)


def test_no_attempt_names_an_object_that_may_be_there():
    assert [one for one in ALL if one.permission != LIST and MARK not in one.name] == []


def test_the_judge_may_do_nothing_and_each_grant_is_tried_at_least_once():
    assert not any(one.allowed for one in ALL if one.who == "probe_model")
    for name, row in TABLE.functions.items():
        for bucket, access in row.buckets.items():
            for verb, objects in access.objects().items():
                for pattern in objects:
                    (permission, *_) = grants.PERMISSIONS[verb]
                    assert any(
                        one.allowed
                        and (one.who, one.bucket, one.permission) == (name, bucket, permission)
                        and (permission == LIST or grants.covers(pattern, one.name))
                        for one in ALL
                    ), (name, bucket, verb, pattern)


def test_attempts_agree_with_what_is_known_of_three_functions():
    def may(who, permission, bucket, name):
        (found,) = [
            one
            for one in ALL
            if (one.who, one.permission, one.bucket, one.name) == (who, permission, bucket, name)
        ]
        return found.allowed

    answer = f"{MARK}/object.status.json"
    assert may("admit_model", CREATE, "uploads", answer)
    assert not may("on_upload", CREATE, "uploads", answer)
    assert not may("admit_model", CREATE, "uploads", f"{MARK}/elsewhere")
    assert not may("admit_model", DELETE, "models", f"{MARK}/elsewhere")
    assert may("serving pods", GET, "control", f"shards/{MARK}/boot/{MARK}")
    assert not may("serving pods", GET, "control", f"customers/{MARK}")


def test_the_requests_change_nothing_even_where_they_are_allowed():
    create = Attempt("x", CREATE, "control", "a/b", allowed=True)
    assert attempts.request(create, "bucket") == (
        "POST",
        "/upload/storage/v1/b/bucket/o",
        {"uploadType": "media", "name": "a/b", "ifGenerationMatch": "1"},
    )
    remove = Attempt("x", DELETE, "control", "a/b", allowed=True)
    assert attempts.request(remove, "bucket") == ("DELETE", "/storage/v1/b/bucket/o/a%2Fb", {})


@pytest.mark.parametrize(
    ("allowed", "status", "wrong"),
    [
        *((True, 200, ""), (True, 404, ""), (True, 412, ""), (False, 403, "")),
        (True, 403, "x must get control/a: refused"),
        (False, 412, "x must not get control/a: allowed (412)"),
        (False, 404, "x must not get control/a: allowed (404)"),
        (False, 503, "x must not get control/a: answered with 503"),
    ],
)
def test_an_answer_is_judged(allowed, status, wrong):
    assert attempts.verdict(Attempt("x", GET, "control", "a", allowed=allowed), status) == wrong


def test_the_checks_pods_keep_to_pod_security():
    pod = pods.manifest("a", "image", "true", pods.ROUTER, account="berth-serving")
    assert list(pod_security.violations(pod["spec"])) == []


def test_what_a_pod_said_about_connections_is_read():
    assert pods.opened("10.0.0.1:8500 open\n10.0.0.1:8501 closed\nnoise\n") == {
        "10.0.0.1:8500": True,
        "10.0.0.1:8501": False,
    }


@dataclass
class Place:
    project: str = "p"
    lines: list = field(default_factory=list)

    def say(self, text):
        self.lines.append(text)


def test_every_check_is_run_whatever_fails_and_a_failure_is_the_answer():
    def fails(target):
        raise Disproved("the door is open")

    place = Place()
    checks = [
        Check("first", "", "", fails),
        Check("second", "", "", lambda target: f"as it should be in {target.project}"),
    ]
    assert running.run(place, checks=checks) == 1
    assert "first              NOT PROVED the door is open" in place.lines[0]
    assert "second             proved     as it should be in p" in place.lines[1]
    assert running.run(place, checks=checks[1:]) == 0


def test_one_check_is_chosen_by_its_id_and_a_wrong_id_names_them_all():
    assert [one.id for one in running.chosen("cold-starts")] == ["cold-starts"]
    assert len(running.chosen("")) == len(running.CHECKS)
    with pytest.raises(running.Refused, match="no check 'x': one of iam-objects"):
        running.chosen("x")


def test_the_page_lists_every_check():
    ids = [one.id for one in running.CHECKS]
    assert len(set(ids)) == len(ids)
    page = functions.ROOT / "docs" / "unproven.md"
    assert page.read_text() == running.document(), "python -m infra.smoke > docs/unproven.md"
