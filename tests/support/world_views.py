"""What a test may want to know of a world, read past every counter."""

import json

from berth.domain import documents
from berth.domain.documents import Admission, Model
from berth.domain.observation import Pod
from berth.domain.shard_status import ShardStatus


class Views:
    """Answers of a World."""

    def boot(self, shard: str) -> str | None:
        found = self.buckets.objects["control"].get(documents.boot_name(shard))
        return found.data.decode() if found else None

    def read(self, name: str, kind):
        found = self.buckets.objects["control"].get(name)
        return kind.decode(found.data) if found else None

    def model(self, servable: str) -> Model | None:
        return self.read(f"models/{servable}.json", Model)

    def admission(self, servable: str, number: int) -> Admission | None:
        return self.read(f"admissions/{servable}/{number}.json", Admission)

    def shard_status(self, shard: str = "shard-0") -> ShardStatus:
        return self.read(documents.status_name(shard), ShardStatus) or ShardStatus()

    def answer(self, name: str) -> dict[str, object] | None:
        found = self.buckets.objects["uploads"].get(name)
        return json.loads(found.data) if found else None

    def said(self, kind: str = "") -> list[tuple[str, str, int | None]]:
        """Outcomes published, as (kind, servable, version)."""
        told = []
        for message in self.publisher.messages["events"]:
            body = json.loads(message.data)
            short = body["type"].removeprefix("dev.berth.")
            if kind in ("", short):
                told.append((short, body["subject"], body["data"].get("version")))
        return told

    def loaded(self, shard: str, servable: str) -> set[int]:
        """Versions that every ready replica has AVAILABLE."""
        pods = [pod for pod in self.workloads.pods(shard) if pod.serving]
        found = [self.loaded_on(pod, servable) for pod in pods]
        return set.intersection(*found) if found else set()

    def loaded_on(self, pod: Pod, servable: str) -> set[int]:
        """Versions that one replica has AVAILABLE."""
        state = self.servers.statuses(pod.address, [servable], timeout=1)[servable]
        return {number for number, said in state.items() if said.state == "AVAILABLE"}

    @property
    def mutations(self) -> int:
        """Writes that were tried, to buckets, cluster and servers."""
        stores = self.uploads.mutations + self.models.mutations + self.control.mutations
        return (
            stores
            + self.workloads.calls["apply"]
            + self.workloads.calls["delete"]
            + self.servers.calls["reload"]
        )
