"""Cloud Scheduler in the local stack: publishes what infra/schedules.yaml says when it is due.

Everything is due once at the start, as after a deployment: a new fleet need not wait for a minute.

`python -m infra.local.ticker PROJECT`, with PUBSUB_EMULATOR_HOST in its environment.
"""

import signal
import sys
import threading
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from croniter import croniter
from google.cloud import pubsub_v1

from infra import schedules
from infra.schedules import Schedule


def following(schedule: Schedule, now: datetime) -> datetime:
    """The first time after `now` at which the schedule is due."""
    local = now.astimezone(ZoneInfo(schedule.time_zone))
    due: datetime = croniter(schedule.schedule, local).get_next(datetime)
    return due.astimezone(UTC)


def main() -> None:
    """Publish until SIGTERM or SIGINT."""
    project = sys.argv[1]
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    publisher = pubsub_v1.PublisherClient()
    active = [one for one in schedules.read() if not one.paused]
    due = {one.name: datetime.now(UTC) for one in active}
    while not stopping.wait(max(0.0, (min(due.values()) - datetime.now(UTC)).total_seconds())):
        for one in active:
            if due[one.name] > datetime.now(UTC):
                continue
            topic = publisher.topic_path(project, one.topic)
            publisher.publish(topic, one.message()).result(timeout=30)
            print(f"{datetime.now(UTC):%H:%M:%S} {one.name} -> {one.topic}", flush=True)
            due[one.name] = following(one, datetime.now(UTC))


if __name__ == "__main__":
    main()
