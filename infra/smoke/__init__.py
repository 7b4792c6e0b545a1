"""Checks of a real deployment: what only the cloud can prove (docs/unproven.md lists them)."""

from infra.smoke.running import run

__all__ = ["run"]
