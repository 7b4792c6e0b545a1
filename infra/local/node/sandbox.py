"""The launcher: becomes the container's process, in a mount namespace with a read-only root.

Run as `python -I -S sandbox.py JSON`, it imports nothing of Berth. An error goes to the descriptor
named in the JSON, which a successful exec closes.
"""

import ctypes
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND = 1, 2, 4, 32, 4096
MS_REC, MS_PRIVATE, MNT_DETACH = 16384, 1 << 18, 2
PR_SET_NO_NEW_PRIVS, SYS_PIVOT_ROOT = 38, {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str, target: str, flags: int, kind: str = "", data: str = "") -> None:
    names = [text.encode() or None for text in (source, target, kind)]
    done = _libc.mount(*names, ctypes.c_ulong(flags), data.encode() or None)
    _checked(done, f"mount {source} at {target}")


def _bind(source: str, target: str, *, read_only: bool) -> None:
    _mount(source, target, MS_BIND | MS_REC)
    if read_only:
        # A user namespace may not drop the flags that the original mount has.
        kept = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | 8 | 1024 | 4096)
        kept = (kept & ~4096) | (1 << 21 if kept & 4096 else 0)  # ST_RELATIME -> MS_RELATIME
        _mount("", target, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def _unshare() -> None:
    """Leave the host's mounts; without root, in a user namespace where this user is root."""
    uid, gid = os.geteuid(), os.getegid()
    _checked(_libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if uid else 0)), "unshare")
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _mount("none", "/", MS_REC | MS_PRIVATE)


def _closed_ancestor(path: Path) -> Path | None:
    """Return the topmost folder above `path` that strangers may not pass."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _open_paths(root: str, paths: list[str]) -> None:
    """Cover private folders on the way to `paths` by ones that hold these paths and no more."""
    covers: dict[Path, set[Path]] = {}
    for text in paths:
        for path in {Path(text), Path(text).resolve()}:
            if path.exists() and (closed := _closed_ancestor(path)):
                covers.setdefault(closed, set()).add(path)
    for closed, inside in covers.items():
        _mount("tmpfs", f"{root}{closed}", MS_NOSUID | MS_NODEV, "tmpfs", "mode=755,size=1m")
        for path in sorted(inside):
            os.makedirs(f"{root}{path}", mode=0o755, exist_ok=True)
            _bind(str(path), f"{root}{path}", read_only=True)
        _mount("", f"{root}{closed}", MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _uncover(root: str, paths: list[str], mounts: list[dict[str, Any]]) -> None:
    """Show what the image needs and a writable volume hides, such as a checkout in /tmp."""
    writable = [mount["target"] for mount in mounts if not mount["read_only"]]
    for text in paths:
        for path in {Path(text), Path(text).resolve()}:
            if path.exists() and any(path.is_relative_to(target) for target in writable):
                os.makedirs(f"{root}{path}", mode=0o755, exist_ok=True)
                _bind(str(path), f"{root}{path}", read_only=True)


def _new_root(spec: dict[str, Any]) -> None:
    """Build a root of binds: the host's folders read-only, and the pod's volumes over them."""
    root = spec["root"]
    _mount("tmpfs", root, MS_NOSUID | MS_NODEV, "tmpfs", "mode=755,size=1m")
    for entry in os.scandir("/"):
        target = f"{root}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), target)
        elif entry.is_dir():
            os.mkdir(target, 0o755)
            _bind(entry.path, target, read_only=entry.name not in {"proc", "dev"})
    if spec["uid"]:
        _open_paths(root, spec["paths"])
    for mount in spec["mounts"]:
        target = f"{root}{mount['target']}"
        os.makedirs(target, mode=0o755, exist_ok=True)
        _bind(mount["source"], target, read_only=mount["read_only"])
    _uncover(root, spec["paths"], spec["mounts"])
    _mount("", root, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir(root)
    _checked(_libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", MNT_DETACH), "umount the host's root")


def _join(pid: int) -> None:
    """Enter the mount namespace of a container that runs."""
    with open(f"/proc/{pid}/ns/mnt") as namespace:
        _checked(_libc.setns(namespace.fileno(), CLONE_NEWNS), "setns")


def _become(uid: int, gid: int) -> None:
    if os.geteuid() == 0 and uid:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _checked(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


def run(spec: dict[str, Any]) -> NoReturn:
    """Become what `spec` describes. Raises OSError naming the step that failed."""
    for group in spec["cgroups"]:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    privileged = os.geteuid() == 0
    if spec["join"]:
        _join(spec["join"])
    else:
        _unshare()
        _new_root(spec)
    if privileged:
        _become(spec["uid"], spec["gid"])
    os.umask(0o022)
    os.chdir(spec["folder"])
    os.execvpe(spec["argv"][0], spec["argv"], spec["environment"])


def main() -> int:
    """Run the JSON of the command line; 128 if that fails, as container runtimes have it."""
    spec = json.loads(sys.argv[1])
    os.set_inheritable(spec["errors"], False)
    try:
        run(spec)
    except OSError as error:
        os.write(spec["errors"], str(error).encode())
        return 128


if __name__ == "__main__":
    sys.exit(main())
