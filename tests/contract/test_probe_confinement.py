"""What the seccomp filter forbids, tried for real in a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import berth
from berth.adapters import seccomp

ROOT = Path(berth.__file__).parents[1]


def confined(code):
    program = f"""
import ctypes, os, signal, socket, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from berth.adapters import seccomp
libc = ctypes.CDLL(None, use_errno=True)
parent = os.getppid()
seccomp.confine()
try:
{textwrap.indent(textwrap.dedent(code), "    ")}
except OSError as error:
    print("errno", error.errno)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socketpair()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(parent, 0)",
        "open('/tmp/berth-confined', 'w')",
        "open('/dev/null', 'r+')",
        "os.unlink('/tmp/berth-none')",
        "os.mkdir('/tmp/berth-confined')",
        "os.rename('/tmp/berth-none', '/tmp/berth-other')",
        "os.chmod('/tmp', 0o777)",
        "os.unshare(0) if hasattr(os, 'unshare') else os.open('/x', os.O_CREAT)",
        "os.truncate('/tmp/berth-none', 0)",
        "os.symlink('a', '/tmp/berth-confined')",
    ],
)
def test_it_is_refused(code):
    assert confined(code) == "errno 1"


@pytest.mark.parametrize(
    ("name", "number"),
    [("ptrace", 101), ("mount", 165), ("io_uring_setup", 425), ("process_vm_readv", 310)],
)
def test_raw_calls_are_refused(name, number):
    assert confined(f"print(libc.syscall({number}, 0, 0, 0, 0), ctypes.get_errno())") == "-1 1"


def test_threads_and_reading_go_on():
    code = """
    thread = threading.Thread(target=lambda: print(len(open('/proc/self/status').read()) > 0))
    thread.start()
    thread.join()
    """
    assert confined(code) == "True"


def test_threads_from_before_are_confined_too():
    program = f"""
import os, sys, threading
sys.path.insert(0, {str(ROOT)!r})
from berth.adapters import seccomp
ready = threading.Event()
def late():
    ready.wait()
    try:
        os.fork()
    except OSError as error:
        print("errno", error.errno)
thread = threading.Thread(target=late)
thread.start()
seccomp.confine()
ready.set()
thread.join()
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.strip() == "errno 1"


def test_an_unknown_machine_fails_closed(monkeypatch):
    monkeypatch.setattr(seccomp.platform, "machine", lambda: "riscv64")
    with pytest.raises(seccomp.Missing):
        seccomp.confine()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_within_the_kernels_bound(machine):
    code = seccomp.program(machine, 1)
    assert len(code) % 8 == 0
    assert len(code) // 8 < 4096
