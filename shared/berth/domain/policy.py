"""The operator's policy, `fleet/policy.json`."""

from pydantic import Field

from berth.domain.canonical import Document


class Policy(Document):
    """When servers are restarted, and how long what was given up is kept: the operator's
    `fleet/policy.json`. Hours are UTC.

    A closed account can be restored for `grace_seconds`; what was deleted, and bytes that nothing
    names, stay for `garbage_seconds`.

    `evidence_per_day` bounds restarts by evidence of the whole fleet (0: none), and between two of
    one shard lie `evidence_rest_seconds`.
    """

    max_age_seconds: int = Field(default=86_400, ge=60)
    restart_before: str = ""
    window_start_hour: int = Field(default=0, ge=0, le=23)
    window_hours: int = Field(default=24, ge=1, le=24)
    wave: int = Field(default=1, ge=1)
    patience_seconds: int = Field(default=900, ge=1)
    evidence_rest_seconds: int = Field(default=3600, ge=1)
    evidence_per_day: int = Field(default=24, ge=0)
    grace_seconds: int = Field(default=7 * 86_400, ge=1)
    garbage_seconds: int = Field(default=86_400, ge=1)
