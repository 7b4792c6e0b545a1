"""Settings: read once from the environment into a frozen value; every missing one in one error."""

import functools
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from berth.domain.errors import BerthError


class MissingSettings(BerthError):
    """The environment lacks settings, or some do not parse; the message names all of them."""


class Settings(BaseSettings):
    """Where the world is. Topics are full resource names (projects/P/topics/T)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    project: str = Field(alias="GOOGLE_CLOUD_PROJECT")
    uploads_bucket: str = Field(alias="BERTH_UPLOADS_BUCKET")
    models_bucket: str = Field(alias="BERTH_MODELS_BUCKET")
    control_bucket: str = Field(alias="BERTH_CONTROL_BUCKET")
    events_topic: str = Field(alias="BERTH_EVENTS_TOPIC")
    admission_topic: str = Field(alias="BERTH_ADMISSION_TOPIC")
    shard_topic: str = Field(alias="BERTH_SHARD_TOPIC")
    storage_emulator: str = Field(default="", alias="STORAGE_EMULATOR_HOST")
    """Set by the local stack: no credentials are used, and no grants are made."""


class AdmissionSettings(Settings):
    """What admit_model needs besides."""

    probe_url: str = Field(alias="BERTH_PROBE_URL")
    probe_seconds: float = Field(default=280, alias="BERTH_PROBE_SECONDS")
    """Longest wait for a judgement."""


class ProbeSettings(BaseSettings):
    """What probe_model needs: no names of ours at all."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    storage_emulator: str = Field(default="", alias="STORAGE_EMULATOR_HOST")


class ShardSettings(Settings):
    """What reconcile_shard needs besides."""

    namespace: str = Field(alias="BERTH_NAMESPACE")
    manifests: str = Field(alias="BERTH_SHARD_MANIFESTS")
    """Folder of the shard's plain manifests."""
    models_mount: str = Field(alias="BERTH_MODELS_MOUNT")
    """Where the serving pods see the models bucket."""
    cluster_endpoint: str = Field(alias="BERTH_CLUSTER_ENDPOINT")
    """The API server: https://host."""
    cluster_authority: str = Field(alias="BERTH_CLUSTER_AUTHORITY")
    """The PEM certificate that its own must come from, in base64."""
    cluster_token_file: str = Field(default="", alias="BERTH_CLUSTER_TOKEN_FILE")
    """Set by the local stack: a file with a bearer token, instead of Google's credentials."""
    image_registry: str = Field(default="", alias="BERTH_IMAGE_REGISTRY")
    """Put in front of images that name no registry."""


class FleetSettings(Settings):
    """What reconcile_fleet needs besides: the shape of a new fleet."""

    first_shards: int = Field(default=2, ge=1, alias="BERTH_FIRST_SHARDS")
    max_shards: int = Field(default=50, ge=1, alias="BERTH_MAX_SHARDS")
    """What each pool may grow to where `fleet/policy.json` says nothing else."""
    replicas_min: int = Field(default=2, ge=1, alias="BERTH_REPLICAS_MIN")
    replicas_max: int = Field(default=4, ge=1, alias="BERTH_REPLICAS_MAX")
    shard_memory_mib: int = Field(default=2048, ge=512, alias="BERTH_SHARD_MEMORY_MIB")
    """Memory of one replica."""
    shard_max_models: int = Field(default=200, ge=1, alias="BERTH_SHARD_MAX_MODELS")


class StatusSettings(FleetSettings):
    """What status needs besides, to tell what a tick would do and cost: the same shape, and what serves."""

    serving_machine: str = Field(alias="BERTH_SERVING_MACHINE")
    """The machine type of a serving node."""
    serving_disk_gib: int = Field(ge=0, alias="BERTH_SERVING_DISK_GIB")
    """The boot disk of a serving node."""


class DoorSettings(BaseSettings):
    """What both containers of a router know."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    folder: str = Field(default="/run/berth/door", alias="BERTH_DOOR_FOLDER")
    """Where Envoy's files are, on a volume in memory that both containers see."""
    admin: str = Field(default="/run/berth/admin/admin.sock", alias="BERTH_DOOR_ADMIN")
    """Envoy's admin interface: a Unix socket."""


class RouterSettings(DoorSettings):
    """What a router's sidecar needs besides: one bucket, one namespace, and where its Envoy stands."""

    project: str = Field(alias="GOOGLE_CLOUD_PROJECT")
    control_bucket: str = Field(alias="BERTH_CONTROL_BUCKET")
    storage_emulator: str = Field(default="", alias="STORAGE_EMULATOR_HOST")
    """Set by the local stack: no credentials are used."""
    namespace: str = Field(alias="BERTH_NAMESPACE")
    cluster_endpoint: str = Field(
        default="https://kubernetes.default.svc", alias="BERTH_CLUSTER_ENDPOINT"
    )
    cluster_authority_file: str = Field(
        default="/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        alias="BERTH_CLUSTER_AUTHORITY_FILE",
    )
    """A PEM certificate that the API server's own must come from."""
    cluster_token_file: str = Field(
        default="/var/run/secrets/kubernetes.io/serviceaccount/token",
        alias="BERTH_CLUSTER_TOKEN_FILE",
    )
    address: str = Field(alias="BERTH_DOOR_ADDRESS")
    """The address that Envoy listens on: the pod's."""
    port: int = Field(default=8080, alias="BERTH_DOOR_PORT")
    health_port: int = Field(default=9902, alias="BERTH_DOOR_HEALTH_PORT")
    heap_mib: int = Field(default=512, ge=128, alias="BERTH_DOOR_HEAP_MIB")
    """Of Envoy: near it, requests are turned away."""


S = TypeVar("S", bound=BaseSettings)


@functools.cache
def load(kind: type[S]) -> S:
    """Read one kind of settings; raise MissingSettings naming everything that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        names = ", ".join(
            f"{item['loc'][0]} ({item['msg']})"
            for item in error.errors(include_input=False, include_url=False)
        )
        raise MissingSettings(f"settings of this function are missing or wrong: {names}") from error
