"""What the decoder's process may still ask of the kernel: to read what it was handed, to answer, and memory.

A filter of system calls (seccomp, Linux 3.17 and later), made here as the kernel takes it, since pyseccomp and
libseccomp's own bindings need that C library to be installed. It works as any user, as root, in containers and on
Lambda. Files can no longer be opened, by any name, so that a picture comes as a descriptor; no socket, no program and
no process can be made, none be looked into or signalled, no memory become code. What is not on the list fails with
EPERM, which libraries answer as they do any failure.

A call is plain only where no argument of it can name another process or a file, nor change a description that others
share; else that argument is compared. Where the C library asks `fstat` by way of `newfstatat` (glibc 2.33 to 2.38) it
fails: no filter sees the path that may come with it, and no decoder needs the answer.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Sequence

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_NOBODY = 65534

_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _KEEP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_PROT_EXEC, _PR_SET_NAME, _PR_SET_VMA = 4, 15, 0x53564D41
_CLONE_THREAD, _CLONE_FLAGS_OF_THREADS = 0x10000, 0x7D0F00
"""The second is all that C libraries ask for a thread: shared memory, files and handlers, and where its id is put."""
_ITSELF = 0
_DUPFD, _GETFD, _SETFD, _GETFL, _DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
"""Of fcntl what tells and copies. The rest signals (F_SETOWN with F_SETFL and O_ASYNC, F_SETLEASE, F_NOTIFY), locks, or
changes how a description is read that is shared with the process that asks."""
_FUTEX_COMMAND, _FUTEX_WAITS_AND_WAKES = 0x7F, (0, 1, 3, 4, 5, 9, 10)
"""Not those with priority inheritance, which raise the priority of whom they name."""
_CLOCKS = range(12)
"""A clock below zero is that of the processor time of a process, which it names."""
_ADVICE = (*range(5), 8, *range(14, 18), 102, 103)
"""About memory of one's own: what will be read, is not needed, goes in large pages or a dump, or guards a stack. Not
to share equal pages with other processes (MADV_MERGEABLE), nor what changes a file or fails a page for all."""

_X86_64 = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "munmap": 11, "brk": 12, "rt_sigaction": 13,
    "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "readv": 19, "writev": 20, "sched_yield": 24,
    "mremap": 25, "dup": 32, "nanosleep": 35, "getpid": 39, "recvfrom": 45, "recvmsg": 47, "exit": 60, "uname": 63,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "getuid": 102, "getgid": 104, "geteuid": 107,
    "getegid": 108, "sigaltstack": 131, "gettid": 186, "time": 201, "set_tid_address": 218, "restart_syscall": 219,
    "exit_group": 231, "ppoll": 271, "set_robust_list": 273, "getrandom": 318, "rseq": 334,
}  # fmt: skip
_AARCH64 = {
    "dup": 23, "close": 57, "lseek": 62, "read": 63, "write": 64, "readv": 65, "writev": 66, "pread64": 67,
    "ppoll": 73, "fstat": 80, "exit": 93, "exit_group": 94, "set_tid_address": 96, "set_robust_list": 99,
    "nanosleep": 101, "sched_yield": 124, "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134,
    "rt_sigprocmask": 135, "rt_sigreturn": 139, "uname": 160, "getrlimit": 163, "getrusage": 165, "gettimeofday": 169,
    "getpid": 172, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "sysinfo": 179,
    "recvfrom": 207, "recvmsg": 212, "brk": 214, "munmap": 215, "mremap": 216, "getrandom": 278, "rseq": 293,
}  # fmt: skip
_CONDITIONAL = {
    "x86_64": {"mmap": 9, "mprotect": 10, "madvise": 28, "clone": 56, "fcntl": 72, "prctl": 157, "futex": 202,
               "sched_getaffinity": 204, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230,
               "tgkill": 234, "prlimit64": 302, "sched_getattr": 315, "seccomp": 317, "clone3": 435},
    "aarch64": {"fcntl": 25, "futex": 98, "clock_gettime": 113, "clock_getres": 114, "clock_nanosleep": 115,
                "sched_getaffinity": 123, "tgkill": 131, "prctl": 167, "clone": 220, "mmap": 222, "mprotect": 226,
                "madvise": 233, "prlimit64": 261, "sched_getattr": 275, "seccomp": 277, "clone3": 435},
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
    process = os.getpid()
    for name, checks in {
        # a new thread, no new process; clone3 keeps its flags where no filter sees them, and libc then takes clone
        "clone": [
            *[_argument(0), _do(_ANY_BIT, _CLONE_THREAD, 1, 0), fail],
            *[_do(_ANY_BIT, ~_CLONE_FLAGS_OF_THREADS & 0xFFFFFFFF, 0, 1), fail, allow],
        ],
        "clone3": [not_there],
        "mmap": [_argument(2), _do(_ANY_BIT, _PROT_EXEC, 0, 1), fail, allow],
        "mprotect": [_argument(2), _do(_ANY_BIT, _PROT_EXEC, 0, 1), fail, allow],
        "madvise": [*_among(2, _ADVICE), allow],
        "fcntl": [*_among(1, (_DUPFD, _GETFD, _SETFD, _GETFL, _DUPFD_CLOEXEC)), allow],
        "futex": [*_among(1, _FUTEX_WAITS_AND_WAKES, bits=_FUTEX_COMMAND), allow],
        "prctl": [*_among(0, (_PR_SET_NAME, _PR_SET_VMA)), allow],
        "prlimit64": [*_among(0, (_ITSELF, process)), *_among(2, (0,)), *_among(2, (0,), high=True), allow],
        "sched_getaffinity": [*_among(0, (_ITSELF, process)), allow],
        "sched_getattr": [*_among(0, (_ITSELF, process)), allow],
        "tgkill": [*_among(0, (process,)), allow],  # abort() of its own
        **{name: [*_among(0, _CLOCKS), allow] for name in ("clock_gettime", "clock_getres", "clock_nanosleep")},
    }.items():
        code += [_do(_EQUAL, conditional[name], 0, len(checks)), *checks]
    return b"".join([*code, fail])


def _among(number: int, values: Sequence[int], *, bits: int | None = None, high: bool = False) -> list[bytes]:
    """Fails a call of whose argument the low half, or the high one, or these `bits` of it, are none of the values."""
    return [
        _argument(number, high=high),
        *([] if bits is None else [_do(_KEEP_BITS, bits)]),
        *[_do(_EQUAL, value, len(values) - place, 0) for place, value in enumerate(values)],
        _do(_RETURN, _FAIL | errno.EPERM),
    ]


def _argument(number: int, *, high: bool = False) -> bytes:
    return _do(_LOAD, _ARGUMENTS + 8 * number + 4 * high)


def _do(code: int, value: int, when: int = 0, otherwise: int = 0) -> bytes:
    """One `struct sock_filter`; jumps count the instructions that are passed over."""
    return struct.pack("=HBBI", code, when, otherwise, value)
