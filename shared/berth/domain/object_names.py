"""The object names of the control bucket: no other module spells them."""

from berth.domain.names import ModelName, VersionName

FLEET_LEASE = "fleet/lease.json"
POLICY = "fleet/policy.json"
CUSTOMERS = "customers/"
SWEEP = "fleet/sweep.json"
MARKS = "garbage/"
ROUTES = "routes/"


def customer_name(customer: str) -> str:
    """Return the object name of an account."""
    return f"{CUSTOMERS}{customer}.json"


def ledger_name(customer: str) -> str:
    """Return the object name of what a customer's uploads on their way have reserved."""
    return f"ledgers/{customer}.json"


def waiting_prefix(customer: str) -> str:
    """Return the folder of what shows which of a customer's versions wait for their turn."""
    return f"waiting/{customer}/"


def waiting_name(version: VersionName) -> str:
    """Return the object name of what shows that a version waits for its turn."""
    model = version.model
    return f"{waiting_prefix(model.customer)}{model.model}/{version.number}"


def model_name(model: ModelName) -> str:
    """Return the object name of a model's document."""
    return f"models/{model.servable}.json"


def admission_name(version: VersionName) -> str:
    """Return the object name of a version's admission."""
    return f"admissions/{version.model.servable}/{version.number}.json"


def admissions_prefix(customer: str) -> str:
    """Return what the object names of all admissions of a customer begin with."""
    return f"admissions/{customer}."


def mark_name(version: VersionName) -> str:
    """Return the object name of the mark on a version's bytes: nothing names them since it was made."""
    return f"{MARKS}{version.model.servable}/{version.number}.json"


def shard_name(shard: str) -> str:
    """Return the object name of a shard's desired shape."""
    return f"shards/{shard}/shard.json"


def projections_prefix(shard: str) -> str:
    """Return the folder of a shard's projections."""
    return f"shards/{shard}/models/"


def projection_name(shard: str, servable: str) -> str:
    """Return the object name of a projection."""
    return f"{projections_prefix(shard)}{servable}"


def boot_name(shard: str) -> str:
    """Return the object name of a shard's boot config."""
    return f"shards/{shard}/boot/models.config"


def live_name(shard: str) -> str:
    """Return the object name of the config that a shard's replicas are being told."""
    return f"shards/{shard}/live/models.config"


def status_name(shard: str) -> str:
    """Return the object name of a shard's observed status."""
    return f"shards/{shard}/status.json"


def lease_name(shard: str) -> str:
    """Return the object name of a shard's lease."""
    return f"shards/{shard}/lease.json"


def template_name(template: str) -> str:
    """Return the object name of a starter template's measurements."""
    return f"templates/{template}.json"


def routes_name(shard: str) -> str:
    """Return the object name of what routers may send to a shard."""
    return f"{ROUTES}{shard}.json"
