"""Eventarc's subscriptions, patched through the real clients on Google's emulator.

What the emulator lacks (IAM, Eventarc, expiration) a small gRPC server stands in for.
"""

import itertools

import pytest
from google.api_core import exceptions
from google.iam.v1 import policy_pb2

from infra import functions, subscriptions
from infra.subscriptions import SUBSCRIBER, Clients, SubscriptionsError
from tests.support.google_apis import GoogleApis, subscribe, trigger

REGION = "europe-west1"
NUMBER = "123456789012"
AGENT = f"serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
_numbers = itertools.count(1)


class World:
    """A project in which Terraform has just made topics, functions and triggers."""

    def __init__(self, apis):
        self.apis, self.project = apis, f"subscriptions-{next(_numbers)}"
        self.wanted = subscriptions.wanted(functions.read(), self.project, NUMBER)
        self.clients = Clients(apis.eventarc(), apis.subscriber())
        publisher = apis.publisher()
        for number, one in enumerate(self.wanted):
            publisher.create_topic(name=one.topic)
            publisher.create_topic(name=one.dead_letters)
            by = ("cloud_function", "cloud_run")[number % 2]
            short = one.topic.rsplit("/", 1)[1]
            apis.triggers.append(trigger(self.project, REGION, one.service, short, by=by))
            subscribe(apis, apis.triggers[-1])
        apis.calls.clear()

    def bring(self, **options):
        return subscriptions.bring(self.clients, self.wanted, self.project, REGION, **options)

    def subscription(self, number=0):
        name = self.apis.triggers[number].transport.pubsub.subscription
        return self.clients.subscriber.get_subscription(subscription=name)


@pytest.fixture
def world(pubsub_host):
    apis = GoogleApis(pubsub_host)
    yield World(apis)
    apis.close()


def test_every_subscription_is_set_and_the_second_run_is_empty(world):
    done = world.bring()
    assert len(done) == 2 * len(world.wanted) == 10
    assert world.bring() == []
    for number, target in enumerate(world.wanted):
        found = world.subscription(number)
        assert found.ack_deadline_seconds == target.ack_deadline
        assert found.message_retention_duration.days == 7
        assert "expiration_policy" in found
        assert not found.expiration_policy.ttl
        retry, dead = found.retry_policy, found.dead_letter_policy
        assert (retry.minimum_backoff, retry.maximum_backoff) == target.backoff
        assert dead.dead_letter_topic == target.dead_letters
        assert dead.max_delivery_attempts == target.attempts
        assert found.push_config.push_endpoint.startswith("https://")
        (binding,) = world.apis.policies[found.name].bindings
        assert (binding.role, list(binding.members)) == (SUBSCRIBER, [AGENT])


def test_a_dry_run_changes_nothing(world):
    assert len(world.bring(dry_run=True)) == 10
    assert world.apis.writes() == []


def test_what_somebody_changed_by_hand_is_set_back_and_nothing_else_is_sent(world):
    world.bring()
    changed = world.subscription(2)
    changed.ack_deadline_seconds = 10
    world.clients.subscriber.update_subscription(
        subscription=changed, update_mask={"paths": ["ack_deadline_seconds"]}
    )
    world.apis.calls.clear()
    (patch,) = world.bring()
    assert list(patch.fields) == ["ack_deadline_seconds"]
    assert [one.rsplit("/", 1)[1] for one in world.apis.writes()] == ["UpdateSubscription"]


def test_a_grant_keeps_what_others_granted_meanwhile(world):
    rivals = iter(["user:first@example.com", "user:second@example.com"])

    def rival(resource):
        member = next(rivals, None)
        if member is not None:
            policy = policy_pb2.Policy()
            policy.CopyFrom(world.apis._policy(resource))
            policy.bindings.add(role="roles/pubsub.viewer", members=[member])
            world.apis.put_policy(resource, policy)

    world.apis.before_set_policy = rival
    world.bring()
    name = world.subscription(0).name
    bindings = {one.role: list(one.members) for one in world.apis.policies[name].bindings}
    assert bindings == {
        "roles/pubsub.viewer": ["user:first@example.com", "user:second@example.com"],
        SUBSCRIBER: [AGENT],
    }


def test_a_race_that_never_ends_is_an_error(world):
    def rival(resource):
        world.apis.put_policy(resource, world.apis._policy(resource))

    world.apis.before_set_policy = rival
    with pytest.raises(exceptions.Aborted):
        world.bring()


def test_settings_that_do_not_hold_are_named(world):
    forget = world.apis.put_policy
    world.apis.put_policy = lambda resource, policy: forget(resource, policy_pb2.Policy())
    with pytest.raises(SubscriptionsError, match="not as they were set: grant"):
        world.bring()


def test_a_missing_dead_letter_topic_is_an_error(world):
    world.apis.publisher().delete_topic(topic=world.wanted[0].dead_letters)
    with pytest.raises(exceptions.NotFound, match=r"[Dd]ead letter topic"):
        world.bring()


def test_missing_triggers_are_all_named_before_anything_is_patched(world):
    del world.apis.triggers[1:3]
    with pytest.raises(SubscriptionsError) as caught:
        world.bring()
    assert "berth-on-customer-event" in str(caught.value)
    assert "berth-admit-model" in str(caught.value)
    assert world.apis.writes() == []
