"""What every pod of an agent shares."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.local.kube_api import Api
from infra.local.node.addresses import Addresses
from infra.local.node.backoff import Backoff
from infra.local.node.cgroups import Cgroups
from infra.local.node.spec import Image


@dataclass(frozen=True, slots=True)
class Kit:
    """The agent's means: the API, the images, the folders, the addresses, the limits."""

    api: Api
    node: str
    images: Mapping[str, Image]
    buckets: Path
    state: Path
    addresses: Addresses
    cgroups: Cgroups
    backoff: Backoff


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
