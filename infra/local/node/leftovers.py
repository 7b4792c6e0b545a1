"""Ends what an agent that was killed left behind: processes and control groups."""

import hashlib
from pathlib import Path

from infra.local.node import launcher
from infra.local.node.cgroups import Cgroups


def group(state: Path) -> str:
    """Return the name of the agent's control group: two stacks on one machine have two."""
    return f"berth-{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]}"


def clear(state: Path) -> int:
    """End everything an agent with this state folder left; return how many pods that were.

    Only to be called when no agent uses the folder.
    """
    found = launcher.kill_remembered(state / "running")
    Cgroups.open(group(state)).close()
    return found
