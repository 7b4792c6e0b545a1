"""What a stack's folder says: who supervises it, which processes are its parts, what died."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from infra.local.process import Identity

Status = Literal["starting", "ready", "stopping"]
_MARK = ".berth-stack"
_KEPT = ("logs", "stack.log", _MARK)


class NotAStack(ValueError):
    """The folder holds something else: nothing in it is touched."""


@dataclass(frozen=True, slots=True)
class State:
    """The stack as its supervisor last wrote it; `notes` has a line for each part that died."""

    supervisor: Identity
    status: Status = "starting"
    parts: dict[str, Identity] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Folder:
    """A stack's folder and the files in it."""

    path: Path

    @property
    def log(self) -> Path:
        """What the supervisor says."""
        return self.path / "stack.log"

    @property
    def logs(self) -> Path:
        """One log a part."""
        return self.path / "logs"

    @property
    def environment(self) -> Path:
        """Lines `export NAME=value` for clients."""
        return self.path / "env"

    def write(self, state: State) -> None:
        """Replace the state."""
        partial = self.path / "state.json.part"
        partial.write_text(json.dumps(asdict(state), indent=1))
        partial.replace(self.path / "state.json")

    def read(self) -> State | None:
        """The state; None where no stack was started or it was taken down."""
        try:
            raw = json.loads((self.path / "state.json").read_text())
        except FileNotFoundError:
            return None
        raw["supervisor"] = Identity(**raw["supervisor"])
        raw["parts"] = {name: Identity(**one) for name, one in raw["parts"].items()}
        return State(**raw)

    def prepare(self) -> None:
        """Make an empty folder of it. Raises NotAStack where other files are."""
        mark = self.path / _MARK
        if self.path.exists() and any(self.path.iterdir()) and not mark.exists():
            raise NotAStack(f"{self.path} is not empty and no folder of a stack")
        self.path.mkdir(parents=True, exist_ok=True)
        mark.touch()
        self.clear(keep=(_MARK,))
        self.logs.mkdir()
        self.log.touch()

    def clear(self, keep: tuple[str, ...] = _KEPT) -> None:
        """Remove everything of a stack but what is named."""
        if not (self.path / _MARK).exists():
            return
        for one in self.path.iterdir():
            if one.name in keep:
                continue
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one)
            else:
                one.unlink()


def write_environment(path: Path, values: dict[str, str]) -> None:
    """Write lines `export NAME=value`; the values hold nothing that a shell would interpret."""
    unsafe = [name for name, value in values.items() if not _plain(value)]
    if unsafe:
        raise ValueError(f"not writable as export lines: {', '.join(unsafe)}")
    path.write_text("".join(f"export {name}={value}\n" for name, value in values.items()))


def read_environment(path: Path) -> dict[str, str]:
    """The values of such a file."""
    lines = path.read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if line)


def _plain(value: str) -> bool:
    return bool(value) and all(c.isalnum() or c in "-_./:@%+," for c in value)
