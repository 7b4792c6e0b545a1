"""Checks k8s/ as a tree: each file by its schema, each kustomization's list of files, each overlay built."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from berth.domain import names, overlays
from infra.manifests import rendering, schema, shard
from infra.manifests.lines import Document, Problem, read

NAMES = frozenset({"BERTH_PROJECT", "BERTH_FUNCTIONS_CIDR", "BERTH_ROUTER_IMAGE"})
_LISTS = ("resources", "components")
# https://kubectl.docs.kubernetes.io/references/kustomize/kustomization
_FIELDS = frozenset(
    {
        *("apiVersion", "kind", "metadata", "resources", "components", "patches", "namespace"),
        *("namePrefix", "nameSuffix", "labels", "commonAnnotations", "images", "replicas"),
        *("replacements", "configMapGenerator", "secretGenerator", "generatorOptions"),
        *("buildMetadata", "sortOptions", "transformers", "generators", "validators"),
        *("configurations", "crds", "openapi"),
    }
)


def shard_problems(folder: Path) -> list[Problem]:
    """What is wrong with a folder of shard manifests; needs no kubectl."""
    return sorted(_shard(folder)[1])


def problems(root: Path) -> list[Problem]:
    """What is wrong in the whole of k8s/. Raises rendering.ManifestError where kubectl is missing."""
    documents, found = _shard(root / "shard")
    for kustomization in sorted(root.rglob("kustomization.yaml")):
        found += _folder(kustomization)
    if not found:
        for overlay in sorted((root / "overlays").iterdir()):
            found += _overlay(overlay, documents)
    return sorted(found)


def _shard(folder: Path) -> tuple[list[Document], list[Problem]]:
    documents, found = _read(folder.glob("*.yaml"))
    for document in documents:
        found += schema.problems(document)
    if not found:
        found += shard.problems(documents)
        found += [Problem(folder, 1, f"no {kind} here") for kind in shard.missing(documents)]
    if not found:
        for pool in sorted((folder / "pools").glob("*")):
            found += _pool(pool, documents)
    return documents, found


def _pool(folder: Path, documents: list[Document]) -> Iterator[Problem]:
    """A pool's patches, and the shard's objects as they are with them."""
    if not names.LABEL.fullmatch(folder.name):
        yield Problem(folder, 1, "is no name of a pool")
        return
    patches, found = _read(folder.glob("*.yaml"))
    for patch in patches:
        found += schema.problems(patch, partial=True)
    yield from found
    if found:
        return
    whole = {document.kind: document for document in documents}
    for patch in patches:
        if patch.kind not in whole:
            yield patch.problem(("kind",), f"a shard has no {patch.kind or 'such object'}")
            continue
        value = dict(overlays.merged(whole[patch.kind].value, patch.value))
        whole[patch.kind] = Document(patch.path, value, patch.node)
    patched = [document for document in whole.values() if document.path.parent == folder]
    for document in patched:
        yield from schema.problems(document)
    yield from shard.problems(patched)


def _folder(kustomization: Path) -> Iterator[Problem]:
    """A kustomization and the files beside it."""
    folder = kustomization.parent
    documents, found = _read([kustomization])
    yield from found
    listed: set[Path] = set()
    patches: set[Path] = set()
    for document in documents:
        yield from _kustomization(document)
        listed |= {folder / one for key in _LISTS for one in _texts(document.value.get(key))}
        patches |= {folder / patch["path"] for patch in _patches(document.value)}
    for path in sorted(set(folder.glob("*.yaml")) - {kustomization}):
        if path not in listed | patches:
            yield Problem(path, 1, "is not in kustomization.yaml, and so has no effect")
        inside, broken = _read([path])
        yield from broken
        for document in inside:
            yield from schema.problems(document, partial=path in patches)


def _kustomization(document: Document) -> Iterator[Problem]:
    folder = document.path.parent
    for key in document.value:
        if key not in _FIELDS:
            yield document.problem((key,), "no such field")
    for key in _LISTS:
        for number, name in enumerate(_texts(document.value.get(key))):
            if not (folder / name).exists():
                yield document.problem((key, number), f"{name} does not exist")
    for number, patch in enumerate(_patches(document.value)):
        if not (folder / patch["path"]).is_file():
            yield document.problem(("patches", number), f"{patch['path']} does not exist")


def _overlay(folder: Path, documents: list[Document]) -> Iterator[Problem]:
    """An overlay as it would be applied: it builds, and has what the shard's pods refer to."""
    try:
        objects = rendering.build(folder)
    except rendering.ManifestError as error:
        yield Problem(folder / "kustomization.yaml", 1, str(error))
        return
    if unknown := rendering.names(objects) - NAMES:
        text = f"nothing fills {', '.join(sorted(unknown))}"
        yield Problem(folder / "kustomization.yaml", 1, text)
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}
    for document in documents:
        if document.kind == "Deployment":
            for where, kind, name in _references(document.value["spec"]["template"]["spec"]):
                if (kind, name) not in there:
                    text = f"the overlay {folder.name} has no {kind} {name}"
                    yield document.problem(("spec", "template", "spec", *where), text)


def _references(pod: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    yield ("serviceAccountName",), "ServiceAccount", pod["serviceAccountName"]
    if "priorityClassName" in pod:
        yield ("priorityClassName",), "PriorityClass", pod["priorityClassName"]
    for number, volume in enumerate(pod.get("volumes") or ()):
        if "configMap" in volume:
            yield ("volumes", number, "configMap"), "ConfigMap", volume["configMap"]["name"]


def _read(paths: Any) -> tuple[list[Document], list[Problem]]:  # noqa: ANN401 - any iterable
    documents: list[Document] = []
    found: list[Problem] = []
    for path in sorted(paths):
        inside, broken = read(path)
        documents += inside
        found += broken
    return documents, found


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _patches(value: dict[str, Any]) -> list[dict[str, str]]:
    patches = value.get("patches")
    if not isinstance(patches, list):
        return []
    return [one for one in patches if isinstance(one, dict) and isinstance(one.get("path"), str)]
