"""`python -m tests.reliability.bytes`: digests of all documents after some stories, for one PYTHONHASHSEED."""

import hashlib

from tests.reliability import stories
from tests.reliability.speed import fast

TOLD = (
    "an upload, served",
    "serving.yaml keeps two",
    "closed, and signed up again",
    "a version that does not load",
    "a full shard's model placed anew",
)


def digest(fleet) -> str:
    """Return one digest over every object of every bucket: name, bytes, metadata, and all that was said."""
    found = hashlib.sha256()
    for bucket, objects in sorted(fleet.buckets.objects.items()):
        for name, stored in sorted(objects.items()):
            facts = (bucket, name, stored.data, sorted(stored.stat.metadata.items()))
            found.update(repr(facts).encode())
    for message in fleet.publisher.messages["events"]:
        found.update(message.data)
    return found.hexdigest()


if __name__ == "__main__":
    with fast():
        for name in TOLD:
            story = stories.BY_NAME[name]
            print(digest(story.start().tell(story)), name)
