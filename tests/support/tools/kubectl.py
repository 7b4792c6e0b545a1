"""A small kubectl: keeps applied objects in a JSON file; rendering is the real one's (REAL_KUBECTL).

What it does to a real API server is tested in tests/integration/cloud/test_cluster.py.
"""

import json
import os
import sys
from pathlib import Path

import yaml

FOLDER = Path(os.environ["FAKE_CLOUD"])
STATE = FOLDER / "cluster.json"


def fail(text, status=1):
    print(f"Error from server: {text}", file=sys.stderr)
    sys.exit(status)


def key(one):
    meta = one["metadata"]
    group = one["apiVersion"].rpartition("/")[0]
    version = one["apiVersion"].rpartition("/")[2]
    parts = [group, version, one["kind"], meta.get("namespace", ""), meta["name"]]
    return ".".join(part for part in parts if part or part is parts[3])


def objects(held):
    found = [one for one in yaml.safe_load_all(sys.stdin.read()) if one]
    there = {one["metadata"]["name"] for one in held.values() if one["kind"] == "Namespace"}
    for one in found:
        namespace = one["metadata"].get("namespace")
        if namespace and namespace not in there:
            fail(f'namespaces "{namespace}" not found (NotFound)')
    return found


def main():  # noqa: C901 - one branch a command
    words = sys.argv[1:]
    if words[0] == "kustomize":
        os.execv(os.environ["REAL_KUBECTL"], ["kubectl", *words])
    with (FOLDER / "calls.log").open("a") as log:
        log.write(" ".join(["kubectl", *words]) + "\n")
    if not Path(os.environ["KUBECONFIG"]).is_file():
        fail("connection refused")
    held = json.loads(STATE.read_text())
    match words:
        case ["get", "namespace", name, *_]:
            if any(one["kind"] == "Namespace" for one in held.values()):
                print(f"namespace/{name}")
        case ["diff", "--server-side", *_]:
            different = [one for one in objects(held) if held.get(key(one)) != one]
            for one in different:
                print(f"diff -u -N /tmp/LIVE-1234/{key(one)} /tmp/MERGED-5678/{key(one)}")
            sys.exit(1 if different else 0)
        case ["apply", "--server-side", *_]:
            for one in objects(held):
                held[key(one)] = one
                print(f"{one['kind'].lower()}/{one['metadata']['name']} serverside-applied")
            STATE.write_text(json.dumps(held))
        case _:
            fail(f"unknown command {' '.join(words)}", 2)


if __name__ == "__main__":
    main()
