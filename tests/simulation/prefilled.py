"""A fleet of any size that serves already: documents, projections, shapes and configs written, servers up."""

import random

from berth.app import control, projecting
from berth.domain import documents, placement, serving_config
from berth.domain.documents import AdmittedVersion, Customer, Model, Shard
from berth.domain.fleet import FirstShards
from berth.domain.footprint import Footprint
from berth.domain.names import ModelName
from tests.simulation import streams
from tests.simulation.fleet import Fleet
from tests.support.world_parts import MOUNT

FILL = 0.95
MODELS_A_CUSTOMER = 5
BEGAN = "2025-12-01T00:00:00+00:00"


def fill(fleet: Fleet, models: int, *, seed: int = 1) -> list[str]:
    """Fill shard after shard; return the servables. The shards' first passes do the rest."""
    dice, names, first = random.Random(seed), list[str](), fleet.first
    sizes = {
        f"c{n // MODELS_A_CUSTOMER}.m{n % MODELS_A_CUSTOMER}": streams.size(dice)
        for n in range(models)
    }
    shards = list(_packed(sizes, first))
    for number, held in enumerate(shards):
        shard = f"shard-{number}"
        _shape(fleet, shard, first)
        entries = {}
        for servable, footprint in held.items():
            customer, _, model = servable.partition(".")
            _account(fleet, customer, shard)
            _model(fleet, ModelName(customer, model), shard, footprint)
            path = f"{MOUNT}/{customer}/{model}"
            entries[servable] = serving_config.entry(path, (1,))
            fleet.seconds[path, 1] = footprint.load_seconds
            fleet.footprints[f"{customer}/{model}/1/"] = footprint
            names.append(servable)
        text = serving_config.render(entries).encode()
        for name in (documents.boot_name(shard), documents.live_name(shard)):
            fleet.control.put(name, text, if_generation=0)
    return names


def _packed(sizes: dict[str, Footprint], first: FirstShards):
    """Next fit, to FILL of each bound."""
    held: dict[str, Footprint] = {}
    used = placement.BASE_BYTES
    for servable, footprint in sizes.items():
        needed = used + placement.needs(footprint)
        if needed > FILL * first.memory_bytes or len(held) >= FILL * first.max_models:
            yield held
            held, used = {}, placement.BASE_BYTES
        held[servable] = footprint
        used = placement.needed_bytes(held.values())
    yield held


def _shape(fleet: Fleet, shard: str, first: FirstShards) -> None:
    shape = Shard(
        shard=shard,
        replicas_min=first.replicas_min,
        replicas_max=first.replicas_max,
        memory_bytes=first.memory_bytes,
        max_models=first.max_models,
    )
    control.write(fleet.control, documents.shard_name(shard), shape, if_generation=0)


def _account(fleet: Fleet, customer: str, home: str) -> None:
    name = documents.customer_name(customer)
    if fleet.control.stat(name) is None:
        account = Customer(
            customer=customer,
            plan="enterprise",
            plan_revision=BEGAN,
            state="active",
            state_revision=BEGAN,
            home_shard=home,
        )
        control.write(fleet.control, name, account, if_generation=0)


def _model(fleet: Fleet, name: ModelName, shard: str, footprint: Footprint) -> None:
    version = AdmittedVersion(
        digest=f"sha256:{name.servable}",
        footprint=footprint,
        admitted_at=BEGAN,
        bytes=footprint.resident_bytes,
    )
    model = Model(
        customer=name.customer,
        model=name.model,
        base_path=name.folder.rstrip("/"),
        versions={1: version},
        shard=shard,
    )
    place = documents.model_name(name)
    generation = control.write(fleet.control, place, model, if_generation=0)
    projecting.project_model(fleet.control, model, generation)
