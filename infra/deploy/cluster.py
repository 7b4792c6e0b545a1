"""Brings what k8s/overlays renders to the cluster, by kubectl and the control plane's DNS endpoint."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from infra import manifests
from infra.deploy import serving_image, shell
from infra.deploy.site import Site

NAME = "berth"
# What an operator changed by hand is set back: the manifests are what is reviewed.
_SERVER_SIDE = ("--server-side", "--force-conflicts", "--field-manager=berth-deploy", "-f", "-")
_DIFFERENT = 1  # `kubectl diff`
_DIFFERS = re.compile(r"^diff .*?/LIVE-\w+/(\S+)", re.MULTILINE)


class Cluster:
    """kubectl with a kubeconfig of this deployment's own."""

    def __init__(self, site: Site) -> None:
        """Nothing is asked yet."""
        self._site = site

    def connect(self) -> bool:
        """Write the kubeconfig; False where the cluster is not there yet."""
        site = self._site
        ask = ("gcloud", "container", "clusters", "list", f"--project={site.project}", "--quiet")
        names = self._run((*ask, f"--filter=name={NAME}", "--format=value(name)")).stdout.split()
        if NAME not in names:
            return False
        where = (f"--location={site.region}", f"--project={site.project}", "--quiet")
        self._run(
            ("gcloud", "container", "clusters", "get-credentials", NAME, "--dns-endpoint", *where)
        )
        return True

    def changes(self, objects: Sequence[Mapping[str, Any]]) -> list[str]:
        """The objects that an apply would make or change."""
        ask = ("get", "namespace", NAME, "--ignore-not-found", "--output=name")
        if not self._kubectl(*ask).stdout.strip():
            return [name(one) for one in objects]
        done = self._kubectl("diff", *_SERVER_SIDE, given=objects, accept=(0, _DIFFERENT))
        return _DIFFERS.findall(done.stdout) if done.returncode == _DIFFERENT else []

    def apply(self, objects: Sequence[Mapping[str, Any]]) -> list[str]:
        """Make them so, namespaces first; returns those that were made or changed."""
        changed = self.changes(objects)
        if changed:
            first = [one for one in objects if one["kind"] == "Namespace"]
            rest = [one for one in objects if one["kind"] != "Namespace"]
            for some in (first, rest):
                self._kubectl("apply", *_SERVER_SIDE, given=some)
        return changed

    def _kubectl(
        self, *words: str, given: Sequence[Mapping[str, Any]] = (), accept: tuple[int, ...] = (0,)
    ) -> Any:  # noqa: ANN401 - subprocess.CompletedProcess
        text = yaml.safe_dump_all([dict(one) for one in given], sort_keys=False)
        return self._run(("kubectl", *words), given=text if given else "", accept=accept)

    def _run(self, argv: Sequence[str], given: str = "", accept: tuple[int, ...] = (0,)) -> Any:  # noqa: ANN401
        return shell.run(
            argv,
            environment={
                "KUBECONFIG": str(self._site.kubeconfig),
                "KUBECTL_EXTERNAL_DIFF": "diff -u -N",
            },
            given=given,
            log=self._site.log,
            accept=accept,
        )


def objects(site: Site) -> list[dict[str, Any]]:
    """What the environment's overlay makes."""
    values = {
        "BERTH_PROJECT": site.project,
        "BERTH_FUNCTIONS_CIDR": str(site.variables["functions_cidr"]),
        "BERTH_ROUTER_IMAGE": serving_image.reference(site, serving_image.ROUTERS),
    }
    return manifests.render(site.environment, values)


def name(one: Mapping[str, Any]) -> str:
    """An object's kind and name, for people."""
    return f"{one['kind']}/{one['metadata']['name']}"
