"""What is changed on Eventarc's subscriptions, and what is not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from google.pubsub_v1 import types

from infra import functions, subscriptions
from infra.subscriptions import Grant, Observed, Patch, SubscriptionsError, Wanted

AGENT = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
TARGET = Wanted(
    service="berth-on-upload",
    topic="projects/p/topics/uploads-finalized",
    ack_deadline=60,
    backoff=(timedelta(seconds=1), timedelta(seconds=60)),
    dead_letters="projects/p/topics/uploads-finalized-dead",
    attempts=100,
    forwarder=AGENT,
)


def right(**changes):
    return types.Subscription(
        {
            "name": "projects/p/subscriptions/eventarc-x",
            "topic": TARGET.topic,
            "ack_deadline_seconds": 60,
            "message_retention_duration": timedelta(days=7),
            "expiration_policy": {},
            "retry_policy": {
                "minimum_backoff": timedelta(seconds=1),
                "maximum_backoff": timedelta(seconds=60),
            },
            "dead_letter_policy": {
                "dead_letter_topic": TARGET.dead_letters,
                "max_delivery_attempts": 100,
            },
            **changes,
        }
    )


def observed(subscription, subscribers=(AGENT,), service="berth-on-upload"):
    return Observed(service, subscription, frozenset(subscribers))


def test_what_is_as_it_should_be_is_left_alone():
    assert subscriptions.plan([TARGET], [observed(right())]) == []


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("ack_deadline_seconds", 10, "10 s -> 60 s"),
        ("message_retention_duration", timedelta(days=1), "86400 s -> 604800 s"),
        ("expiration_policy", None, "in 31 days -> never"),
        ("expiration_policy", {"ttl": timedelta(days=1)}, "in 86400 s -> never"),
        ("retry_policy", None, "none -> 1 s to 60 s"),
        ("dead_letter_policy", None, f"none -> {TARGET.dead_letters} after 100"),
        (
            "dead_letter_policy",
            {"dead_letter_topic": TARGET.dead_letters, "max_delivery_attempts": 5},
            f"{TARGET.dead_letters} after 5 -> {TARGET.dead_letters} after 100",
        ),
    ],
)
def test_one_wrong_field_is_patched_alone(field, value, told):
    (patch,) = subscriptions.plan([TARGET], [observed(right(**{field: value}))])
    assert isinstance(patch, Patch)
    assert patch.fields == {field: told}
    assert str(patch) == f"patch projects/p/subscriptions/eventarc-x: {field} {told}"


def test_a_missing_grant_is_added():
    (grant,) = subscriptions.plan([TARGET], [observed(right(), ["user:a@b.c"])])
    assert grant == Grant("projects/p/subscriptions/eventarc-x", AGENT)


def test_a_function_without_a_trigger_and_one_with_anothers_topic_are_both_named():
    other = replace(TARGET, service="berth-admit-model")
    with pytest.raises(SubscriptionsError) as caught:
        subscriptions.plan([TARGET, other], [observed(right(topic="projects/p/topics/else"))])
    assert "topics/else, not projects/p/topics/uploads-finalized" in str(caught.value)
    assert "berth-admit-model: Eventarc has no trigger" in str(caught.value)


def test_the_triggers_of_others_are_not_touched():
    stranger = observed(right(ack_deadline_seconds=10), service="somebody-else")
    assert subscriptions.plan([TARGET], [observed(right()), stranger]) == []


def test_every_function_that_gets_events_is_wanted_with_deadlines_that_pub_sub_takes():
    table = functions.read()
    found = {one.service: one for one in subscriptions.wanted(table, "p", "1")}
    assert len(found) == sum(not one.is_http for one in table.values())
    assert found["berth-on-upload"].topic == TARGET.topic
    assert found["berth-on-upload"].forwarder == AGENT
    for name, function in table.items():
        if not function.is_http:
            target = found[f"berth-{name.replace('_', '-')}"]
            assert 10 <= target.ack_deadline <= 600
            assert target.ack_deadline >= function.timeout


@pytest.mark.parametrize(("timeout", "deadline"), [(3, 10), (60.2, 61), (900, 600)])
def test_the_ack_deadline_is_the_timeout_rounded_up_within_bounds(timeout, deadline):
    function = functions.read()["on_upload"].model_copy(update={"timeout": timeout})
    (target,) = subscriptions.wanted({"on_upload": function}, "p", "1")
    assert target.ack_deadline == deadline
