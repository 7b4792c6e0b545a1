"""Ends what an agent that was killed left behind and nobody wants: processes and control groups."""

import hashlib
from collections.abc import Set
from pathlib import Path

from infra.local.node import launcher
from infra.local.node.cgroups import Cgroups


def group(state: Path) -> str:
    """Return the name of the agent's control group: two stacks on one machine have two."""
    return f"berth-{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]}"


def clear(state: Path, cgroups: Cgroups, pods: Set[str]) -> int:
    """End what an earlier agent left of other pods than those with these uids; return how many."""
    found = launcher.kill_remembered(state / "running", pods)
    cgroups.sweep(pods)
    return found
