"""State as it follows from what is original: customers' events, admissions, models' documents. Pure.

Each function yields one line for whatever is stored otherwise. Only three things are read as they are:
which shard was drawn for an account, when Berth learned of its state, and what the owner of a model
wished in `serving.yaml`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from berth.domain import accounts, documents, names, rollout, serving_config
from berth.domain.documents import Admission, Customer, Model, Projection, Shard, Template
from berth.domain.routing import ShardRoutes
from berth.domain.shard_status import ShardStatus

MOUNT = "/models"
TEMPLATES = "templates/"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """One object: its bytes, custom metadata and generation."""

    data: bytes
    metadata: dict
    generation: int


@dataclass(frozen=True, slots=True)
class State:
    """The control bucket's objects by name, the models bucket's CRC32C by name."""

    control: dict[str, Stored]
    models: dict[str, str]

    def all(self, prefix, kind):
        """The documents below a prefix, decoded, by the rest of their names."""
        return {
            name.removeprefix(prefix).removesuffix(".json"): kind.decode(stored.data)
            for name, stored in sorted(self.control.items())
            if name.startswith(prefix)
        }

    def shards(self, file, kind):
        """One document of each shard, decoded."""
        found = {name.split("/")[1]: name for name in self.control if name.startswith("shards/")}
        paths = {shard: f"shards/{shard}/{file}" for shard in sorted(found)}
        return {s: kind.decode(self.control[p].data) for s, p in paths.items() if p in self.control}


def differences(state, told):
    """All that is not as rebuilt; `told` are the customers' events (berth.domain.requests)."""
    yield from not_as_told(state, told)
    yield from not_at_home(state)
    yield from not_as_admitted(state)
    yield from not_as_promoted(state)
    yield from not_as_documented(state)
    yield from not_as_announced(state)
    yield from not_as_routed(state)


def not_as_told(state, told):
    """Accounts are as their events say, and every model follows its account and its deletion."""
    stored, models = state.all("customers/", Customer), state.all("models/", Model)
    wanted = _accounts(told, stored)
    for name in sorted({*wanted, *stored}):
        if _unlearned(stored.get(name)) != wanted.get(name):
            yield f"the account {name} is {stored.get(name)}, told {wanted.get(name)}"
    for name, model in models.items():
        if model.customer not in stored:
            yield f"{name} belongs to nobody"
        elif _under(model, stored[model.customer], told) != model:
            yield f"{name} does not follow its account or its deletion: {model.wants}"


def not_at_home(state):
    """Every account is at home on an active shard, and its starter model with it."""
    models, shards = state.all("models/", Model), state.shards("shard.json", Shard)
    template = state.all(TEMPLATES, Template)[names.STARTER]
    for name, account in state.all("customers/", Customer).items():
        if account.home_shard not in shards or shards[account.home_shard].state != "active":
            yield f"{name} is at home on {account.home_shard}, which is no active shard"
        starter = models.get(f"{name}.{names.STARTER}")
        found = starter and (starter.shard, {n: v.digest for n, v in starter.versions.items()})
        if found != (account.home_shard, {1: template.digest}):
            yield f"the starter model of {name} is {found}"


def not_as_admitted(state):
    """A version is in its model's document when it was admitted, and only then."""
    admitted = {}
    for name, admission in state.all("admissions/", Admission).items():
        servable, _, number = name.partition("/")
        if admission.verdict and admission.verdict.state == "ADMITTED":
            told = (admission.digest, admission.footprint)
            admitted.setdefault(servable, {})[int(number)] = told
    there = {
        name: {n: (v.digest, v.footprint) for n, v in model.versions.items()}
        for name, model in state.all("models/", Model).items()
        if not model.base_path.startswith(TEMPLATES) and model.versions
    }
    for name in sorted({*admitted, *there}):
        if admitted.get(name) != there.get(name):
            yield f"{name} has {there.get(name)}, admitted were {admitted.get(name)}"


def not_as_promoted(state):
    """The models bucket holds the promoted files of the admitted versions, and nothing else."""
    wanted = {}
    for name, admission in state.all("admissions/", Admission).items():
        if admission.verdict and admission.verdict.state == "ADMITTED":
            folder = "/".join((*name.partition("/")[0].split("."), name.partition("/")[2]))
            for file in admission.manifest.files:
                if file.name in admission.promoted:
                    wanted[f"{folder}/{file.name}"] = file.crc32c
    there = {name: crc for name, crc in state.models.items() if not name.startswith(TEMPLATES)}
    for name in sorted({*wanted, *there}):
        if wanted.get(name) != there.get(name):
            yield f"the bytes {name} are {there.get(name)}, promoted {wanted.get(name)}"


def not_as_documented(state):
    """Every projection, boot config and live config is what the models' documents give."""
    wanted, configs = derived(state)
    stored = {}
    for name, kept in sorted(state.control.items()):
        shard, _, rest = name.removeprefix("shards/").partition("/")
        if rest.startswith("models/"):
            stored[f"{shard}/{rest.removeprefix('models/')}"] = kept.metadata
        elif rest in ("boot/models.config", "live/models.config"):
            there = serving_config.parse(kept.data.decode())
            if there != configs.get(shard, {}):
                yield f"{name} is {there}, and not as rebuilt"
    for key in sorted({*wanted, *stored}):
        if _shown(wanted.get(key)) != _shown(stored.get(key)):
            yield f"the projection {key} is {stored.get(key)}, rebuilt {wanted.get(key)}"


def not_as_announced(state):
    """Every shard's status announces what the models' documents give."""
    _, configs = derived(state)
    for shard, status in state.shards("status.json", ShardStatus).items():
        config = configs.get(shard, {})
        for name in sorted({*status.models, *config}):
            numbers = config[name].versions if name in config else ()
            yield from _announced(shard, name, status.models.get(name), numbers)


def _announced(shard, name, record, numbers):
    told = (record.state, record.announced) if record else ("RETIRED", ())
    if told != (("SERVING", numbers) if numbers else ("RETIRED", ())):
        yield f"{shard} announces {name} as {told}, rebuilt {numbers}"


def not_as_routed(state):
    """Routers may send to every shard what the models' documents give, and nothing else."""
    _, configs = derived(state)
    stored = state.all(documents.ROUTES, ShardRoutes)
    for shard in sorted({*state.shards("shard.json", Shard), *stored}):
        wanted = {name: entry.versions for name, entry in configs.get(shard, {}).items()}
        routes = stored[shard].models if shard in stored else None
        found = routes and {n: route.versions for n, route in routes.items() if route.versions}
        if found != wanted:
            yield f"routers may send {found} to {shard}, rebuilt {wanted}"


def _unlearned(account):
    """An account without the time at which Berth learned of its state, which no event tells."""
    if account is None or not account.state_learned:
        return account
    return account.model_copy(update={"state_learned": accounts.time(NEVER)})


def _accounts(told, stored):
    found = {}
    for event in sorted(told, key=lambda one: one.revision):
        known, name = found.get(event.customer), event.customer
        if event.kind == "signed_up":
            home = stored[name].home_shard if name in stored else "?"
            found[name] = accounts.signed_up(known, event, home_shard=home, now=NEVER)
        elif event.kind == "keys_changed":
            found[name] = accounts.keys_changed(known, event)
        elif event.kind == "closed":
            found[name] = accounts.closed(known, event, now=NEVER)
    return found


def _under(model, account, told):
    """A model's document with the account's state and its deletion taken from the events alone."""
    blank = {"closed": False, "account_revision": "", "deleted_revision": ""}
    blank |= {"plan": "", "plan_revision": "", "keys": (), "keys_revision": ""}
    model = model.model_copy(update={"wants": model.wants.model_copy(update=blank)})
    for event in told:
        if event.kind == "model.deleted" and (event.customer, event.model) == (
            model.customer,
            model.model,
        ):
            model = accounts.retired(model, event)
    return accounts.under(model, account)


def derived(state):
    """The projections by shard and servable, and the configs by shard, as the models' documents have them."""
    projections, configs = {}, {}
    for name, model in state.all("models/", Model).items():
        generation = state.control[f"models/{name}.json"].generation
        projection = documents.project(model, generation=generation)
        numbers = () if projection.retired else rollout.wanted_versions(projection, {})
        for shard in model.shards:
            there = projection.seen_by(shard, home=model.shard)
            projections[f"{shard}/{name}"] = there.metadata()
            if numbers:
                entry = serving_config.entry(f"{MOUNT}/{model.base_path}", numbers)
                configs.setdefault(shard, {})[name] = entry
    return projections, configs


def _shown(metadata):
    return metadata and (Projection.from_metadata(metadata), metadata["document"])
