"""A seccomp filter for the child that runs untrusted models: no sockets, processes or writing.

Standard library only: the child imports it without site-packages. Linux on x86_64 and aarch64.
"""

import ctypes
import errno
import os
import platform
import struct

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_TSYNC = 1
_SIGKILL = 9
_AF_INET, _SOCK_STREAM = 2, 1

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_EPERM = 0x00050000 | 1
_ENOSYS = 0x00050000 | 38
_ARG0, _ARG1, _ARG2 = 16, 24, 32
_CLONE_THREAD = 0x00010000
_WRITES = 0x243  # O_WRONLY | O_RDWR | O_CREAT | O_TRUNC
_X32 = 0x40000000

# Numbers from 424 up are the same on every architecture: pidfd_*, io_uring_*, the new mount calls,
# process_madvise, mount_setattr, fchmodat2.
_COMMON = (*range(424, 435), 438, 440, 442, 452)
_MACHINES: dict[str, tuple[int, dict[str, int], tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        {"seccomp": 317, "clone": 56, "open": 2, "openat": 257, "tgkill": 234, "prlimit64": 302},
        (
            *(*range(41, 48), 49, 50, 53, 288, 299, 307),  # sockets
            *(57, 58, 59, 322, 62, 101, 129, 200, 297),  # fork, exec, signals to others, ptrace
            *(76, 77, *range(82, 89), *range(90, 95), 132, 133, 188, 189, 190, 235),  # writing
            *(258, 259, 260, 261, 263, 264, 265, 266, 268, 280, 316, 319),  # writing, *at forms
            *(135, 155, 161, *range(165, 174), 175, 176, 246, 272, 308, 313, 320),  # the machine
            *(248, 249, 250, 298, 303, 304, 310, 311, 312, 317, 321, 323),  # keys, bpf, memory
        ),
    ),
    "aarch64": (
        0xC00000B7,
        {"seccomp": 277, "clone": 220, "openat": 56, "tgkill": 131, "prlimit64": 261},
        (
            *(*range(198, 204), 206, 207, 211, 212, 242, 243, 269),
            *(221, 281, 117, 129, 130, 138, 240),
            *(5, 6, 7, *range(33, 39), 45, 46, 52, 53, 54, 55, 88, 276, 279),
            *(39, 40, 41, 51, 92, 97, 104, 105, 106, 142, 161, 162, 224, 225, 268, 273, 294),
            *(217, 218, 219, 241, 264, 265, 270, 271, 272, 277, 280, 282),
        ),
    ),
}
_CLONE3, _OPENAT2 = 435, 437


class Missing(Exception):
    """This machine cannot confine a process: nothing untrusted may run."""


def confine() -> None:
    """Confine every thread of this process for good. Raises Missing when that is not possible."""
    machine = platform.machine()
    if machine not in _MACHINES:
        raise Missing(f"no seccomp filter for {machine}")
    libc = ctypes.CDLL(None, use_errno=True)
    _call(libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")
    _call(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    code = program(machine, os.getpid())
    filters = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(filters))
    number = _MACHINES[machine][1]["seccomp"]
    # TSYNC: TensorFlow's libraries may have started threads when they were loaded.
    done = libc.syscall(ctypes.c_long(number), _SET_MODE_FILTER, _TSYNC, ctypes.c_char_p(header))
    _call(done, "seccomp")


def check() -> None:
    """Try what must fail by now: a socket, a process, a file to write. Raises Missing if one is had."""
    libc = ctypes.CDLL(None, use_errno=True)
    _refused(libc.socket(_AF_INET, _SOCK_STREAM, 0), "a socket")
    _refused(libc.open(b"/dev/null", os.O_WRONLY), "a file to write")
    child = libc.fork()
    if child == 0:
        os._exit(0)
    _refused(child, "a process")


def program(machine: str, pid: int) -> bytes:
    """Return the filter as BPF instructions of 8 bytes each."""
    arch, named, denied = _MACHINES[machine]
    code = [_op(_LD, 4), _op(_JEQ, arch, 1, 0), _op(_RET, _KILL), _op(_LD, 0)]
    if machine == "x86_64":
        code += [_op(_JGE, _X32, 0, 1), _op(_RET, _EPERM)]
    for number in (*denied, *_COMMON):
        code += [_op(_JEQ, number, 0, 1), _op(_RET, _EPERM)]
    for number in (_CLONE3, _OPENAT2):  # ENOSYS makes the C library use clone and openat
        code += [_op(_JEQ, number, 0, 1), _op(_RET, _ENOSYS)]
    code += _when(named["clone"], _ARG0, _op(_JSET, _CLONE_THREAD, 1, 0))
    code += _when(named["openat"], _ARG2, _op(_JSET, _WRITES, 0, 1))
    if "open" in named:
        code += _when(named["open"], _ARG1, _op(_JSET, _WRITES, 0, 1))
    code += _when(named["tgkill"], _ARG0, _op(_JEQ, pid, 1, 0))
    code += _when(named["prlimit64"], _ARG0, _op(_JEQ, 0, 1, 0))
    return b"".join([*code, _op(_RET, _ALLOW)])


def _when(number: int, argument: int, test: bytes) -> list[bytes]:
    """For one call: load an argument's lower half; the test jumps past EPERM or falls into it."""
    return [
        _op(_JEQ, number, 0, 4),
        _op(_LD, argument),
        test,
        _op(_RET, _EPERM),
        _op(_RET, _ALLOW),
    ]


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def _refused(result: int, what: str) -> None:
    if result != -1 or ctypes.get_errno() != errno.EPERM:
        raise Missing(f"the filter is in place, but lets {what} through")


def _call(result: int, name: str) -> None:
    if result != 0:
        raise Missing(f"{name} failed with errno {ctypes.get_errno()}")
