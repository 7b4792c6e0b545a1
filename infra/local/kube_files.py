"""The files a control plane starts from: certificates, tokens, kubeconfigs, the audit policy."""

import base64
import secrets
import subprocess
from pathlib import Path

import yaml

ADMIN, CONTROLLERS, SCHEDULER, NODE = "admin", "controller-manager", "scheduler", "node"

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}],
}


def write(binary: Path, folder: Path, server: str, node: str) -> None:
    """Fill `folder` with what the components with an API server at `server` need; idempotent.

    The kubeconfig of the administrator is `kubeconfig`, the node agent's is `node.kubeconfig`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    certificates = folder / "certificates"
    if not (certificates / "accounts.pub").exists():  # written last
        subprocess.run([binary, "certificates", certificates], check=True)
    authority = (certificates / "ca.crt").read_bytes()
    for name, token in _tokens(folder / "tokens.csv", node).items():
        target = "kubeconfig" if name == ADMIN else f"{name}.kubeconfig"
        write_kubeconfig(folder / target, server, authority, token)
    (folder / "audit-policy.yaml").write_text(yaml.safe_dump(AUDIT_POLICY))


def write_kubeconfig(target: Path, server: str, authority: bytes, token: str) -> None:
    """Write a kubeconfig, readable by its owner alone, that trusts `authority` (PEM) only."""
    cluster = {
        "server": server,
        "certificate-authority-data": base64.b64encode(authority).decode(),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "user"}}],
        "current-context": "local",
    }
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(config))


def _tokens(target: Path, node: str) -> dict[str, str]:
    if target.exists():
        lines = (line.split(",") for line in target.read_text().splitlines())
        return {uid: token for token, _, uid, *_ in lines}
    users = {
        ADMIN: (ADMIN, "system:masters"),
        CONTROLLERS: ("system:kube-controller-manager", ""),
        SCHEDULER: ("system:kube-scheduler", ""),
        NODE: (f"system:node:{node}", "system:nodes"),
    }
    tokens = {name: secrets.token_urlsafe(24) for name in users}
    target.touch(mode=0o600)
    target.write_text(
        "".join(f'{tokens[uid]},{user},{uid},"{group}"\n' for uid, (user, group) in users.items())
    )
    return tokens
