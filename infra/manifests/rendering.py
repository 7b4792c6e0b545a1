"""Renders an overlay: kustomize's output with every ${BERTH_…} replaced, or an error that names all.

No other name is replaced, and nothing is left: what is rendered can be applied as it is.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra import functions

FOLDER = functions.ROOT / "k8s"
_NAME = re.compile(r"\$\{([^}]*)(\}?)")
Object = dict[str, Any]


class ManifestError(ValueError):
    """Manifests cannot be used as they are; the text names every reason."""


def render(overlay: str | Path, values: Mapping[str, str]) -> list[Object]:
    """The objects of an overlay of k8s/overlays, by its name, or of any kustomize folder.

    `values` fill the names it has, BERTH_PROJECT and BERTH_FUNCTIONS_CIDR; more are no harm.
    Raises ManifestError: no kubectl, kustomize's complaint, names without a value.
    """
    folder = FOLDER / "overlays" / overlay if isinstance(overlay, str) else overlay
    objects = build(folder)
    unfilled = sorted(name for name in names(objects) if not values.get(name))
    if unfilled:
        raise ManifestError(f"{folder}: no value for {', '.join(unfilled)}")
    return [_filled(one, values) for one in objects]


def names(objects: list[Object]) -> set[str]:
    """What objects ask values for: NAME for each ${NAME}; "${NAME" where it is not closed."""
    found = (one for text in _texts(objects) for one in _NAME.finditer(text))
    return {one[1] if one[2] else one[0] for one in found}


def build(folder: Path) -> list[Object]:
    """What kustomize makes of a folder. Raises ManifestError."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise ManifestError("kubectl is needed: gcloud components install kubectl")
    command = (kubectl, "kustomize", str(folder))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ManifestError(f"{folder}: {done.stderr.strip().removeprefix('error: ')}")
    return [one for one in yaml.safe_load_all(done.stdout) if one is not None]


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any YAML
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _filled(value: Any, values: Mapping[str, str]) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(value, str):
        return _NAME.sub(lambda found: values[found[1]], value)
    if isinstance(value, dict):
        return {_filled(key, values): _filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    return value
