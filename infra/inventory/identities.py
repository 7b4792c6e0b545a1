"""The service accounts, and what runs in the name of each."""

from collections.abc import Iterator

from infra.inventory.source import Inventory


def uses(inventory: Inventory) -> dict[str, list[str]]:
    """What runs as each service account, by its e-mail address; an account that is unused has []."""
    found: dict[str, list[str]] = {
        one.values["email"]: [] for one in inventory.of("google_service_account")
    }
    for account, what in _uses(inventory):
        found.setdefault(account.rsplit("/", 1)[-1], []).append(what)
    return {account: sorted(set(texts)) for account, texts in sorted(found.items())}


def _uses(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for one in inventory.of("google_cloudfunctions2_function"):
        name = one.values["name"]
        yield one.values["service_config"][0]["service_account_email"], f"function {name}"
        yield one.values["build_config"][0]["service_account"], "builds of the functions"
        for trigger in one.values["event_trigger"]:
            yield trigger["service_account_email"], "Eventarc's calls of the functions"
    for one in inventory.of("google_container_node_pool"):
        for config in one.values["node_config"]:
            yield config["service_account"], f"nodes of the pool {one.values['name']}"
