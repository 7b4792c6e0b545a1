"""Mutation testing: changes one place of a module at a time and sees whether a test notices.

mutmut, of a locked environment of its own, works on a copy of the tree in the cache, so that a run can be
stopped at any time and goes on where it stood, until the module or its tests change. It mutates the bodies of
functions and methods, not constants of a module. docs/mutants.md gives each survivor its reason.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.dependencies import environment, locks

LOCK = locks.TOOLS / "mutmut.lock"
DOCUMENT = locks.ROOT / "docs" / "mutants.md"
_DOMAIN = "tests/unit/berth/domain"
_APP = "tests/unit/berth/app"
# Each module with the tests that are asked about it.
TARGETS: dict[str, tuple[str, ...]] = {
    "domain/lease": (f"{_DOMAIN}/test_lease.py", f"{_APP}/test_leasing.py"),
    "edge": ("tests/unit/berth/test_edge.py", "tests/unit/berth/test_edge_lines.py"),
    "domain/op_policy": (
        f"{_DOMAIN}/test_op_policy.py",
        f"{_DOMAIN}/test_op_policy_roots.py",
        f"{_DOMAIN}/test_savedmodel.py",
        f"{_DOMAIN}/test_loading.py",
    ),
    "domain/loading": (f"{_DOMAIN}/test_loading.py",),
    "domain/pilot": (f"{_DOMAIN}/test_pilot.py", f"{_DOMAIN}/test_plan.py"),
    "domain/batches": (f"{_DOMAIN}/test_batches.py",),
    "domain/turns": (f"{_DOMAIN}/test_turns.py",),
    "domain/plan": (
        f"{_DOMAIN}/test_plan.py",
        f"{_DOMAIN}/test_plan_contents.py",
        f"{_DOMAIN}/test_plan_routes.py",
        f"{_DOMAIN}/test_removal.py",
        f"{_DOMAIN}/test_rollout_routes.py",
        f"{_DOMAIN}/test_pilot.py",
        f"{_DOMAIN}/test_evidence.py",
    ),
    "domain/rollout": (
        f"{_DOMAIN}/test_rollout.py",
        f"{_DOMAIN}/test_rollout_steps.py",
        f"{_DOMAIN}/test_rollout_routes.py",
        f"{_DOMAIN}/test_wanted_versions.py",
        f"{_DOMAIN}/test_plan.py",
    ),
    "domain/quarantines": (f"{_DOMAIN}/test_quarantines.py", f"{_DOMAIN}/test_rollout.py"),
    "domain/records": (f"{_DOMAIN}/test_records.py",),
    "domain/deaths": (f"{_DOMAIN}/test_deaths.py",),
    "domain/evidence": (f"{_DOMAIN}/test_evidence.py",),
    "domain/ledger": (f"{_DOMAIN}/test_ledger.py",),
    "domain/garbage": (f"{_DOMAIN}/test_garbage.py", f"{_DOMAIN}/test_garbage_bounds.py"),
}
_COPIED = ("infra", "k8s", "functions", "docs/schemas", "tests/support", "tests/unit/berth")
# 0: the tests passed with the change in place. The others are mutmut's and pytest's exit codes.
_SURVIVED, _UNTRIED, _UNTESTED, _TIMED_OUT = 0, None, (5, 33), (-24, 36)
_CONFIG = """\
[tool.pytest.ini_options]
addopts = "--import-mode=importlib -p no:cacheprovider -p no:xdist"
pythonpath = ["."]
filterwarnings = ["ignore"]

[tool.mutmut]
source_paths = ["berth"]
only_mutate = ["berth/{target}.py"]
also_copy = ["infra", "k8s", "functions", "docs"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a run knows of one module: mutants by what became of them."""

    target: str
    killed: int
    survivors: tuple[str, ...]
    untried: int

    def row(self) -> str:
        """A line of the table in docs/mutants.md."""
        made = self.killed + len(self.survivors) + self.untried
        score = f"{100 * self.killed / max(1, made - self.untried):.0f} %"
        cells = (f"`{self.target}.py`", made, self.killed, len(self.survivors), self.untried, score)
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


def run(target: str, seconds: float, children: int, *, added: bool = False) -> Tried:
    """Try the mutants of one module for at most so long; a later call goes on from there.

    `added`: the tests that changed only grew, so that what was noticed is noticed still. Raises
    subprocess.CalledProcessError where the tests fail without any change.
    """
    stage = _stage(target, added=added)
    command = (str(environment.python("mutmut", LOCK)), "-m", "mutmut", "run")
    shown = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "MUTMUT_QUIET": "1"}
    log = stage / "run.log"
    try:
        with log.open("w") as out:
            subprocess.run(
                (*command, "--max-children", str(children)),
                cwd=stage, env=shown, stdout=out, stderr=subprocess.STDOUT,
                timeout=seconds, check=True,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(f"{target}: stopped after {seconds:.0f} s; the next run goes on", file=sys.stderr)
    except subprocess.CalledProcessError:
        print(log.read_text()[-4000:], file=sys.stderr)
        raise
    return read(target)


def read(target: str) -> Tried:
    """What the last runs found out."""
    meta = _meta(target)
    codes = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {}
    survivors = [name for name, code in codes.items() if code == _SURVIVED or code in _UNTESTED]
    untried = sum(code is _UNTRIED for code in codes.values())
    killed = len(codes) - len(survivors) - untried
    return Tried(target, killed, tuple(sorted(survivors, key=_order)), untried)


def show(target: str, name: str) -> str:
    """The change that a survivor is, as a unified diff."""
    command = (str(environment.python("mutmut", LOCK)), "-m", "mutmut", "show", name)
    done = subprocess.run(command, cwd=_folder(target), capture_output=True, text=True, check=True)
    return done.stdout


def explained() -> set[str]:
    """The survivors that docs/mutants.md names."""
    return set(re.findall(r"`(berth\.[\w.ǁ]+__mutmut_\d+)`", DOCUMENT.read_text()))


def _stage(target: str, *, added: bool) -> Path:
    """Bring the copy up to date; what mutmut has found out stays."""
    stage = _folder(target)
    sources = [("shared/berth", "berth"), *((name, name) for name in _COPIED)]
    for source, into in sources:
        _copy(locks.ROOT / source, stage / into)
    (stage / "tests" / "unit" / "conftest.py").unlink(missing_ok=True)
    # mutmut tries again what changed in a function, and knows nothing of tests that changed.
    asked = _digest(target)
    if not (stage / "asked").exists() or (stage / "asked").read_text() != asked:
        if added:
            _retry(target)
        else:
            shutil.rmtree(stage / "mutants", ignore_errors=True)
        (stage / "asked").write_text(asked)
    tests = json.dumps(list(TARGETS[target]))
    (stage / "pyproject.toml").write_text(_CONFIG.format(target=target, tests=tests))
    return stage


def _retry(target: str) -> None:
    """Have survivors and what ran out of time tried again, and which test runs which function."""
    meta = _meta(target)
    if not meta.exists():
        return
    known = json.loads(meta.read_text())
    codes = known["exit_code_by_key"]
    again = {_SURVIVED, *_UNTESTED, *_TIMED_OUT}
    known["exit_code_by_key"] = {n: _UNTRIED if c in again else c for n, c in codes.items()}
    meta.write_text(json.dumps(known))
    (_folder(target) / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)


def _meta(target: str) -> Path:
    return _folder(target) / "mutants" / "berth" / f"{target}.py.meta"


def _digest(target: str) -> str:
    """Of the module, the tests that are asked about it, and what they are made of."""
    named = (Path("shared/berth") / f"{target}.py", *map(Path, TARGETS[target]))
    support = sorted((locks.ROOT / "tests" / "support").glob("*.py"))
    files = [*(locks.ROOT / name for name in named), *support]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _copy(source: Path, into: Path) -> None:
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(source, into, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))


def _folder(target: str) -> Path:
    made = environment.cache() / "mutants" / target.replace("/", "-")
    made.mkdir(parents=True, exist_ok=True)
    return made


def _order(name: str) -> tuple[str, int]:
    function, _, number = name.rpartition("_")
    return function, int(number)


def _report(tried: Tried, *, whole: bool) -> Iterator[str]:
    yield tried.row()
    known = explained()
    for name in tried.survivors:
        if whole or name not in known:
            yield f"\n{name}{'' if name in known else ' (no reason in docs/mutants.md)'}"
            yield show(tried.target, name)


def main() -> None:
    """Try the mutants of the modules named, or of all; 1 where a survivor has no reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="target")
    parser.add_argument("--seconds", type=float, default=600.0, help="at most, for each module")
    parser.add_argument("--children", type=int, default=2, help="processes at a time")
    parser.add_argument(
        "--added", action="store_true", help="tests were only added: try again what survived"
    )
    parser.add_argument("--known", action="store_true", help="run nothing: tell what is known")
    parser.add_argument("--whole", action="store_true", help="show survivors with a reason too")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; known: {', '.join(TARGETS)}")
    os.nice(0 if options.known else 19)
    lines: list[str] = []
    bare = 0
    for target in options.targets:
        tried = (
            read(target)
            if options.known
            else run(target, options.seconds, options.children, added=options.added)
        )
        lines += _report(tried, whole=options.whole)
        bare += len(set(tried.survivors) - explained())
    print("| module | mutants | noticed | survived | not tried | noticed of tried |")
    print("|---|---|---|---|---|---|")
    print("\n".join(lines))
    sys.exit(1 if bare else 0)


if __name__ == "__main__":
    main()
