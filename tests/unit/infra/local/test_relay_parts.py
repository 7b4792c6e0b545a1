"""The relay's pure parts: events as Eventarc writes them, room for calls, pauses between attempts."""

import asyncio
import json

import pytest

from infra.local import cloudevent, gate

TOPIC, SUBSCRIPTION = "projects/p/topics/t", "projects/p/subscriptions/s"


def test_a_message_becomes_the_event_that_eventarc_sends():
    message = {"data": "eyJ9", "messageId": "7", "publishTime": "2026-01-01T00:00:00Z"}
    event = cloudevent.published(message, TOPIC, SUBSCRIPTION)
    assert event.headers == {
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
        "ce-id": "7",
        "ce-time": "2026-01-01T00:00:00Z",
        "content-type": "application/json",
    }
    body = json.loads(event.body)
    assert body["subscription"] == SUBSCRIPTION
    assert body["message"] == message | {"message_id": "7", "publish_time": message["publishTime"]}


def test_a_notification_arrives_as_it_is_whatever_the_object_is_called():
    name = "acme/a b/1/\u00e9\u2028\x00\r\nce-id: 9\U0001f600%.pb"
    attributes = {"eventType": "OBJECT_FINALIZE", "bucketId": "up", "objectId": name}
    event = cloudevent.published({"messageId": "8", "attributes": attributes}, TOPIC, SUBSCRIPTION)
    assert all(value.isascii() and value.isprintable() for value in event.headers.values())
    assert json.loads(event.body)["message"]["attributes"] == attributes


@pytest.mark.parametrize(
    ("minimum", "maximum", "attempt", "seconds"),
    [
        *((1, 60, 1, 1), (1, 60, 4, 8), (1, 60, 7, 60), (1, 60, 10_000, 60)),
        *((0.1, 9, 1, 1), (0, 0, 3, 0), (5, 60, 2, 10), (600, 900, 5, 600)),
    ],
)
def test_pauses_double_from_the_minimum_to_the_maximum(minimum, maximum, attempt, seconds):
    assert gate.backoff(minimum, maximum, attempt) == seconds


def test_no_instance_gets_more_calls_than_its_concurrency_and_the_waiting_keep_their_order():
    async def scenario():
        room = gate.Gate(["a", "b"], 2)
        running, most, order = {"a": 0, "b": 0}, {"a": 0, "b": 0}, []

        async def call(number):
            async with room.enter(5) as address:
                order.append(number)
                running[address] += 1
                most[address] = max(most[address], running[address])
                await asyncio.sleep(0)
                running[address] -= 1

        await asyncio.gather(*(call(number) for number in range(20)))
        return most, order

    most, order = asyncio.run(scenario())
    assert most == {"a": 2, "b": 2}
    assert order == list(range(20))


def test_who_finds_no_room_in_time_is_told():
    async def scenario():
        room = gate.Gate(["a"], 1)
        async with room.enter(1):
            with pytest.raises(gate.Crowded):
                async with room.enter(0.01):
                    pass
        assert await room.reserve() == 1

    asyncio.run(scenario())


def test_all_room_is_reserved_at_once_and_given_back():
    async def scenario():
        room = gate.Gate(["a", "b"], 3)
        assert await room.reserve() == 6
        room.release(2)
        return await room.reserve()

    assert asyncio.run(scenario()) == 2
