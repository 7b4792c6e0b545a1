"""What Berth tells the outside: the outcomes on the `model-events` topic, as values.

An event's id is a digest of what it says, so that a second delivery of the cause repeats the id.
"""

from dataclasses import dataclass

from berth.domain import canonical

PREFIX = "dev.berth."


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """One outcome. `kind` is admitted, incomplete, rejected, serving, quarantined or retired."""

    kind: str
    servable: str
    version: int | None
    reason: str = ""
    digest: str = ""
    shard: str = ""
    revision: str = ""

    @property
    def type(self) -> str:
        """The CloudEvents type."""
        return f"{PREFIX}model.{self.kind}"

    def data(self) -> dict[str, object]:
        """The CloudEvents data, without empty fields."""
        customer, _, model = self.servable.partition(".")
        fields: dict[str, object] = {
            "customer": customer,
            "model": model,
            "version": self.version,
            "reason": self.reason,
            "digest": self.digest,
            "shard": self.shard,
        }
        return {key: value for key, value in fields.items() if value not in ("", None)}

    @property
    def id(self) -> str:
        """Identity of what is said: the same outcome gives the same id."""
        return canonical.digest(
            canonical.encode([self.type, self.servable, self.version, self.digest, self.revision])
        )[:32]


@dataclass(frozen=True, slots=True)
class TrainingRequested:
    """A new customer asks for a model of their own."""

    customer: str
    plan: str
    revision: str

    @property
    def type(self) -> str:
        """The CloudEvents type."""
        return f"{PREFIX}training.requested"

    @property
    def servable(self) -> str:
        """The starter model that serves meanwhile."""
        return f"{self.customer}.starter"

    def data(self) -> dict[str, object]:
        """The CloudEvents data."""
        return {"customer": self.customer, "plan": self.plan}

    @property
    def id(self) -> str:
        """Identity of what is said."""
        return canonical.digest(canonical.encode([self.type, self.customer, self.revision]))[:32]


Outgoing = ModelEvent | TrainingRequested
