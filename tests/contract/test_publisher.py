"""What Berth relies on in Pub/Sub, on the memory twin and on Google's emulator."""

import itertools

import pytest

from berth.adapters import pubsub
from berth.adapters.memory import MemoryPublisher
from berth.domain import errors

_numbers = itertools.count(1)


class Twin:
    """A topic of the twin."""

    def __init__(self):
        self.publisher = MemoryPublisher()
        self.topic = "projects/contract/topics/twin"

    def received(self, count, *, at_once=1000):
        messages = self.publisher.take(self.topic)
        assert len(messages) == count
        return [(message.data, dict(message.attributes)) for message in messages]


class Emulated:
    """A topic of the emulator with a subscription."""

    def __init__(self):
        from google.cloud import pubsub_v1

        number = next(_numbers)
        self.client = pubsub.client()
        self.topic = f"projects/contract/topics/topic-{number}"
        self.subscription = f"projects/contract/subscriptions/subscription-{number}"
        self.subscriber = pubsub_v1.SubscriberClient()
        self.client.create_topic(name=self.topic)
        self.subscriber.create_subscription(name=self.subscription, topic=self.topic)
        self.publisher = pubsub.PubSubPublisher(self.client)

    def received(self, count, *, at_once=1000):
        found = []
        while len(found) < count:
            answer = self.subscriber.pull(
                subscription=self.subscription, max_messages=at_once, timeout=10
            )
            found += [
                (one.message.data, dict(one.message.attributes)) for one in answer.received_messages
            ]
            self.subscriber.acknowledge(
                subscription=self.subscription,
                ack_ids=[one.ack_id for one in answer.received_messages],
            )
        return found

    def close(self):
        self.subscriber.close()
        self.client.transport.close()


@pytest.fixture(params=["twin", "emulator"])
def world(request):
    if request.param == "twin":
        yield Twin()
        return
    request.getfixturevalue("pubsub_host")
    made = Emulated()
    yield made
    made.close()


def test_a_published_message_is_there_when_the_call_returns(world):
    world.publisher.publish(world.topic, b"data", {"key": "value"})
    assert world.received(1) == [(b"data", {"key": "value"})]


def test_attributes_may_be_left_out(world):
    world.publisher.publish(world.topic, b"data")
    assert world.received(1) == [(b"data", {})]


def test_many_messages_all_arrive(world):
    sent = [str(number).encode() for number in range(2500)]
    world.publisher.publish_all(world.topic, iter(sent))
    assert sorted(data for data, _ in world.received(2500)) == sorted(sent)


def test_large_messages_are_spread_over_requests(world):
    sent = [bytes([number]) * 3_900_000 for number in range(4)]
    world.publisher.publish_all(world.topic, sent)
    assert sorted(data for data, _ in world.received(4, at_once=1)) == sent


def test_nothing_to_publish_is_no_request(world):
    world.publisher.publish_all(world.topic, [])
    world.publisher.publish(world.topic, b"only")
    assert world.received(1) == [(b"only", {})]


def test_a_topic_that_is_missing_is_an_operators_matter(pubsub_host):
    client = pubsub.client()
    with pytest.raises(errors.Denied, match="missing"):
        pubsub.PubSubPublisher(client).publish("projects/contract/topics/missing", b"x")
    client.transport.close()
