"""Cloud Scheduler in the local stack: its API, and the messages of the jobs that are due.

`python -m infra.local.ticker PORT FILE`, with PUBSUB_EMULATOR_HOST in its environment. What was due
while it did not run is published once when it does.
"""

import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.cloud import pubsub_v1
from google.cloud.scheduler_v1 import Job

from infra import schedules
from infra.local import scheduler
from infra.local.jobs import Jobs

_PATIENCE = 30.0


def main() -> None:
    """Serve and publish until SIGTERM or SIGINT."""
    jobs = Jobs(Path(sys.argv[2]))
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        jobs.changed.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    publisher = pubsub_v1.PublisherClient()
    server = scheduler.server(jobs, int(sys.argv[1]))
    server.start()
    while not stopping.is_set():
        jobs.changed.clear()
        late, pause = jobs.due()
        for job in late:
            jobs.attempted(job.name, failed=not _publish(publisher, job))
        if not late:
            jobs.changed.wait(pause)
    server.stop(grace=1.0).wait()


def _publish(publisher: pubsub_v1.PublisherClient, job: Job) -> bool:
    target = job.pubsub_target
    try:
        sent = publisher.publish(target.topic_name, target.data, **dict(target.attributes))
        sent.result(timeout=_PATIENCE)
    except (GoogleAPICallError, RetryError, TimeoutError) as error:
        said = f"failed: {type(error).__name__} {str(error)[:200]}"
    else:
        said = ""
    topic = target.topic_name.rsplit("/", 1)[-1]
    print(f"{datetime.now(UTC):%H:%M:%S} {schedules.short(job)} -> {topic} {said}", flush=True)
    return not said


if __name__ == "__main__":
    main()
