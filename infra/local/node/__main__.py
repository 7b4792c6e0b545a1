"""`python -m infra.local.node`: registers one node and runs its pods until SIGTERM or Ctrl-C."""

import argparse
import base64
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import requests
import yaml

from infra.local.kube_api import Api, ApiError
from infra.local.node import leftovers, metrics, registration, spec
from infra.local.node.addresses import Addresses
from infra.local.node.agent import Agent
from infra.local.node.backoff import Backoff
from infra.local.node.cgroups import Cgroups
from infra.local.node.kit import Kit

LOG = logging.getLogger("infra.local.node")
READY = (
    "ready"  # the file in the state folder that says the node is registered and its figures served
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.node", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="the node's own")
    parser.add_argument("--certificates", type=Path, help="default: beside the kubeconfig")
    parser.add_argument("--node", default="local-1")
    parser.add_argument("--cidr", default="127.20.0.0/16", help="addresses of the pods")
    parser.add_argument("--buckets", type=Path, required=True, help="one folder a bucket")
    parser.add_argument("--state", type=Path, required=True, help="logs and volumes of the pods")
    parser.add_argument("--listen", default="127.0.0.1:0", help="where metrics.k8s.io is served")
    parser.add_argument("--images", type=Path, required=True, help="YAML: image -> command, env")
    parser.add_argument("--cpu", default="16")
    parser.add_argument("--memory", default=f"{_memory() // 2**20}Mi")
    parser.add_argument("--pods", default="250")
    parser.add_argument("--backoff", type=float, default=10.0, help="seconds, doubled to 30 times")
    return parser.parse_args()


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _kit(arguments: argparse.Namespace) -> Kit:
    state = arguments.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    (state / READY).unlink(missing_ok=True)
    return Kit(
        api=Api(arguments.kubeconfig),
        node=arguments.node,
        images=spec.images(yaml.safe_load(arguments.images.read_text())),
        buckets=arguments.buckets.resolve(),
        state=state,
        addresses=Addresses(arguments.cidr),
        cgroups=Cgroups.open(leftovers.group(state)),
        backoff=Backoff(arguments.backoff, 30 * arguments.backoff),
    )


def _announced(kit: Kit, port: int, certificates: Path, ended: threading.Event) -> None:
    """Announce the figures; the manifests that allow it may be applied a little later."""
    authority = base64.b64encode((certificates / "ca.crt").read_bytes())
    end = time.monotonic() + 60
    while not ended.is_set():
        try:
            metrics.announce(kit.api, port, authority)
        except (ApiError, requests.RequestException) as error:
            if time.monotonic() > end:
                LOG.error("metrics.k8s.io is not announced: %s", error)
                return
            ended.wait(0.5)
        else:
            (kit.state / READY).write_text(str(port))
            return


def _watch(agent: Agent, ended: threading.Event) -> None:
    """Run the agent; one that breaks must not look alive."""
    try:
        agent.run()
    finally:
        ended.set()


def main() -> int:
    """Run until told to end; 1 if the agent broke before that."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    ended = threading.Event()
    told = threading.Event()

    def stop(*_: object) -> None:
        told.set()
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    kit = _kit(arguments)
    capacity = {"cpu": arguments.cpu, "memory": arguments.memory, "pods": arguments.pods}
    agent = Agent(kit)
    host, _, port = arguments.listen.rpartition(":")
    certificates = arguments.certificates or arguments.kubeconfig.parent / "certificates"
    server, bound = metrics.serve(
        metrics.Figures(kit.node, agent.pods), (host, int(port)), certificates
    )
    registration.register(kit.api, kit.node, capacity)
    for target, details in (
        (registration.renew, (kit.api, kit.node, ended)),
        (server.serve_forever, ()),
        (_watch, (agent, ended)),
        (_announced, (kit, bound, certificates, ended)),
    ):
        threading.Thread(target=target, args=details, daemon=True).start()
    ended.wait()
    server.shutdown()
    agent.end()
    (kit.state / READY).unlink(missing_ok=True)
    return 0 if told.is_set() else 1


if __name__ == "__main__":
    sys.exit(main())
