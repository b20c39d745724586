"""What the decoder's process may still ask of the kernel: to read what it was handed, to answer, and memory.

A filter of system calls (seccomp, Linux 3.17 and later), made here as the kernel takes it: no package is needed, and
it works as any user, as root, in containers and on Lambda. Files can no longer be opened, by any name, so that a
picture comes as a descriptor; no socket, no program and no process can be made, none be looked into or signalled, no
memory become code. What is not on the list fails with EPERM, which libraries answer as they do any failure.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_NOBODY = 65534

_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_CLONE_THREAD, _PROT_EXEC, _AT_EMPTY_PATH, _PR_SET_NAME, _PR_SET_VMA = 0x10000, 4, 0x1000, 15, 0x53564D41

_X86_64 = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "munmap": 11, "brk": 12,
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "readv": 19, "writev": 20,
    "sched_yield": 24, "mremap": 25, "mincore": 27, "madvise": 28, "dup": 32, "nanosleep": 35, "getpid": 39,
    "recvfrom": 45, "recvmsg": 47, "exit": 60, "uname": 63, "fcntl": 72, "gettimeofday": 96, "getrlimit": 97,
    "getrusage": 98, "sysinfo": 99, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108,
    "sigaltstack": 131, "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204, "set_tid_address": 218,
    "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
    "ppoll": 271, "set_robust_list": 273, "sched_getattr": 315, "getrandom": 318, "membarrier": 324, "rseq": 334,
}  # fmt: skip
_AARCH64 = {
    "dup": 23, "fcntl": 25, "close": 57, "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66,
    "pread64": 67, "ppoll": 73, "fstat": 80, "exit": 93, "exit_group": 94, "set_tid_address": 96, "futex": 98,
    "set_robust_list": 99, "nanosleep": 101, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115,
    "sched_getaffinity": 123, "sched_yield": 124, "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134,
    "rt_sigprocmask": 135, "rt_sigreturn": 139, "uname": 160, "getrlimit": 163, "getrusage": 165,
    "gettimeofday": 169, "getpid": 172, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178,
    "sysinfo": 179, "recvfrom": 207, "recvmsg": 212, "brk": 214, "munmap": 215, "mremap": 216, "mincore": 232,
    "madvise": 233, "sched_getattr": 275, "getrandom": 278, "membarrier": 283, "rseq": 293,
}  # fmt: skip
_CONDITIONAL = {
    "x86_64": {"mmap": 9, "mprotect": 10, "clone": 56, "prctl": 157, "tgkill": 234, "newfstatat": 262,
               "prlimit64": 302, "clone3": 435, "seccomp": 317},
    "aarch64": {"newfstatat": 79, "tgkill": 131, "prctl": 167, "clone": 220, "mmap": 222, "mprotect": 226,
                "prlimit64": 261, "clone3": 435, "seccomp": 277},
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


def confine() -> str | None:
    """Give up, for good and for every thread of this process, all that a decoder does not need.

    None where that was done, else why it was not: the caller says so.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _MACHINES:
        return f"no filter of system calls is known for {sys.platform} on {machine}"
    _give_up_root()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return f"no_new_privs: {os.strerror(ctypes.get_errno())}"
    program = _program(machine)
    code = ctypes.create_string_buffer(program, len(program))
    filtered = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    if libc.syscall(_CONDITIONAL[machine]["seccomp"], _SET_MODE_FILTER, _ALL_THREADS, filtered):
        return f"seccomp: {os.strerror(ctypes.get_errno()) if ctypes.get_errno() else 'a thread would not follow'}"
    return None


def hide_memory() -> None:
    """Let no process of the same user read this one's memory or environment, nor attach to it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _give_up_root() -> None:
    """Be nobody, where this is root; a container may have no such user, and the filter holds all the same."""
    if os.geteuid() != 0:
        return
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        pass


def _program(machine: str) -> bytes:
    """The filter in the kernel's classic BPF."""
    architecture, plain = _MACHINES[machine]
    conditional = _CONDITIONAL[machine]
    fail, not_there = _do(_RETURN, _FAIL | errno.EPERM), _do(_RETURN, _FAIL | errno.ENOSYS)
    allow = _do(_RETURN, _ALLOW)
    code = [
        *[_do(_LOAD, _ARCHITECTURE), _do(_EQUAL, architecture, 1, 0), _do(_RETURN, _KILL)],
        *[_do(_LOAD, _NUMBER), _do(_AT_LEAST, _X32, 0, 1), _do(_RETURN, _KILL)],
    ]
    for number in plain.values():
        code += [_do(_EQUAL, number, 0, 1), allow]
    for name, checks in {
        # a new thread, no new process; clone3 keeps its flags where no filter sees them, and libc then takes clone
        "clone": [_argument(0), _do(_ANY_BIT, _CLONE_THREAD, 1, 0), fail, allow],
        "clone3": [not_there],
        "mmap": [_argument(2), _do(_ANY_BIT, _PROT_EXEC, 0, 1), fail, allow],
        "mprotect": [_argument(2), _do(_ANY_BIT, _PROT_EXEC, 0, 1), fail, allow],
        "newfstatat": [_argument(3), _do(_ANY_BIT, _AT_EMPTY_PATH, 1, 0), fail, allow],
        "prctl": [_argument(0), _do(_EQUAL, _PR_SET_NAME, 2, 0), _do(_EQUAL, _PR_SET_VMA, 1, 0), fail, allow],
        "prlimit64": [*_is_null(2, fail), allow],
        "tgkill": [_argument(0), _do(_EQUAL, os.getpid(), 1, 0), fail, allow],  # abort() of its own
    }.items():
        code += [_do(_EQUAL, conditional[name], 0, len(checks)), *checks]
    return b"".join([*code, fail])


def _is_null(number: int, otherwise: bytes) -> list[bytes]:
    return [
        *[_argument(number), _do(_EQUAL, 0, 1, 0), otherwise],
        *[_argument(number, high=True), _do(_EQUAL, 0, 1, 0), otherwise],
    ]


def _argument(number: int, *, high: bool = False) -> bytes:
    return _do(_LOAD, _ARGUMENTS + 8 * number + 4 * high)


def _do(code: int, value: int, when: int = 0, otherwise: int = 0) -> bytes:
    """One `struct sock_filter`; jumps count the instructions that are passed over."""
    return struct.pack("=HBBI", code, when, otherwise, value)
