"""What one version of a model needs of a server."""

from pydantic import Field

from berth.domain.canonical import Document


class Footprint(Document):
    """What one version needs, as the probe measured it."""

    resident_bytes: int = Field(ge=0)
    peak_bytes: int = Field(ge=0)
    load_seconds: float = Field(ge=0)
