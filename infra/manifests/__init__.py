"""The manifests in k8s/: rendered for a cluster, and checked before any cluster sees them."""

from pathlib import Path

from infra.manifests import rendering
from infra.manifests.lines import Problem
from infra.manifests.rendering import ManifestError, Object, render

__all__ = ["ManifestError", "Object", "Problem", "check", "render", "require", "require_shard"]

FOLDER = rendering.FOLDER
SHARD = FOLDER / "shard"


def check(folder: Path = FOLDER) -> list[Problem]:
    """What is wrong in k8s/ or a copy of it, each with file and line; [] when nothing is.

    Raises ManifestError without kubectl.
    """
    # the client's models take 150 ms to import, which who only renders does not pay
    from infra.manifests import tree

    return tree.problems(folder)


def require(folder: Path = FOLDER) -> None:
    """Raise ManifestError naming every problem in k8s/."""
    _raise(check(folder))


def require_shard(folder: Path = SHARD) -> None:
    """Raise ManifestError naming every problem in a folder of shard manifests; needs no kubectl."""
    from infra.manifests import tree

    _raise(tree.shard_problems(folder))


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise ManifestError("\n".join(str(problem) for problem in problems))
