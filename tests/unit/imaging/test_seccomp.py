"""What a decoder that was taken over could still do: read what it was handed, and answer."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imagemarket.imaging import sandbox
from imagemarket.imaging.sandbox import Inspector
from imagemarket.platform.telemetry import metrics
from local.pictures import paint_landscape
from local.raw_fixtures import write_dng

_PR_GET_DUMPABLE = 3
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"},
    reason="NOT RUN: there is a filter of system calls for Linux on x86-64 and arm64",
)

_ATTEMPTS = """
import ctypes, errno, json, mmap, os, platform, socket, sys, threading, time
from imagemarket.imaging import seccomp
from imagemarket.imaging.seccomp import confine
secret = os.environ.pop("SECRET_FILE")
kept = os.open(secret, os.O_RDONLY)
if len(sys.argv) > 1: os.setresuid(1234, 1234, 1234)
libc = ctypes.CDLL(None, use_errno=True)
parent, me = os.getppid(), os.getpid()
conditional = seccomp._CONDITIONAL[platform.machine()]
listed = {**seccomp._MACHINES[platform.machine()][1], **conditional}
room = ctypes.create_string_buffer(8192)
memory = mmap.mmap(-1, 2 * mmap.PAGESIZE)
page = ctypes.addressof(ctypes.c_char.from_buffer(memory))
ours, other = socket.socketpair()
owner = ctypes.c_uint32(parent)
began = threading.Event(); ended = threading.Event(); others = []
def other():
    began.set(); ended.wait()
    try: os.open(secret, os.O_RDONLY); others.append("opened")
    except OSError as error: others.append(error.errno)
early = threading.Thread(target=other); early.start(); began.wait()
assert confine() is None
ended.set(); early.join()
def call(function):
    try: return ["done", str(function())]
    except OSError as error: return ["failed", error.errno]
def libc_call(name, *arguments):
    ctypes.set_errno(0)
    return ["done", ""] if getattr(libc, name)(*arguments) >= 0 else ["failed", ctypes.get_errno()]
def system_call(name, *arguments):
    ctypes.set_errno(0)
    return ["done", ""] if libc.syscall(conditional[name], *arguments) >= 0 else ["failed", ctypes.get_errno()]
def refused(number, *arguments):
    ctypes.set_errno(0)
    return libc.syscall(number, *arguments) == -1 and ctypes.get_errno() == errno.EPERM
tried = {
    "open": call(lambda: os.open(secret, os.O_RDONLY)),
    "create": call(lambda: os.open(secret + ".new", os.O_WRONLY | os.O_CREAT)),
    "list": call(lambda: os.listdir("/")),
    "stat": call(lambda: os.stat(secret)),
    "own memory": call(lambda: os.open("/proc/self/mem", os.O_RDWR)),
    "socket": call(lambda: socket.socket()),
    "local socket": call(lambda: socket.socket(socket.AF_UNIX)),
    "fork": call(os.fork),
    "program": call(lambda: os.execv("/bin/true", ["true"])),
    "signal": call(lambda: os.kill(parent, 0)),
    "attach": libc_call("ptrace", 16, parent, 0, 0),
    "read others": libc_call("process_vm_readv", parent, None, 0, None, 0, 0),
    "code": call(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)),
    "limits": libc_call("prlimit", 0, 7, (ctypes.c_long * 2)(1, 1), None),
    "privileges": call(lambda: os.setuid(0)) if os.getuid() else ["failed", 1],
    "a signal by what arrives": libc_call("fcntl", ours.fileno(), 8, parent),
    "a signal by what arrives, by thread": libc_call("fcntl", ours.fileno(), 15, (ctypes.c_int * 2)(1, parent)),
    "which signal": libc_call("fcntl", ours.fileno(), 10, 9),
    "at once": libc_call("fcntl", ours.fileno(), 4, os.O_ASYNC),
    "another's way to read": libc_call("fcntl", ours.fileno(), 4, os.O_NONBLOCK),
    "lease": libc_call("fcntl", kept, 1024, 0),
    "lock": libc_call("fcntl", kept, 6, room),
    "signals at once by another call": libc_call("ioctl", ours.fileno(), 0x5452, (ctypes.c_int * 1)(1)),
    "owner by another call": libc_call("ioctl", ours.fileno(), 0x8901, (ctypes.c_int * 1)(parent)),
    "a key for a terminal": libc_call("ioctl", 0, 0x5412, b"x"),
    "signal a thread": system_call("tgkill", parent, parent, 0),
    "priority": call(lambda: os.setpriority(os.PRIO_PROCESS, parent, 19)),
    "processors of another": call(lambda: os.sched_setaffinity(parent, {0})),
    "which processors another has": call(lambda: os.sched_getaffinity(parent)),
    "schedule another": libc_call("sched_setscheduler", parent, 3, (ctypes.c_int * 1)(0)),
    "how another is scheduled": system_call("sched_getattr", parent, room, 48, 0),
    "limits of another": libc_call("prlimit", parent, 7, None, room),
    "time of another": libc_call("clock_gettime", ~parent << 3 | 2, room),
    "steps of another's clock": libc_call("clock_getres", ~parent << 3 | 2, room),
    "sleep by another's clock": system_call("clock_nanosleep", ~parent << 3 | 2, 0, (ctypes.c_long * 2)(0, 1), None),
    "lend priority": system_call("futex", ctypes.byref(owner), 6, 0, (ctypes.c_long * 2)(0, 1)),
    "lend priority alone": system_call("futex", ctypes.byref(owner), 128 | 8, 0, None),
    "lend priority by another clock": system_call("futex", ctypes.byref(owner), 256 | 128 | 13, 0, None),
    "share equal pages": libc_call("madvise", ctypes.c_void_p(page), mmap.PAGESIZE, 12),
    "punch a hole": libc_call("madvise", ctypes.c_void_p(page), mmap.PAGESIZE, 9),
    "fail a page": libc_call("madvise", ctypes.c_void_p(page), mmap.PAGESIZE, 100),
    "stat by a name where there may be none": libc_call("fstatat", -100, secret.encode(), room, 0x1000),
    "be dumped": libc_call("prctl", 4, 1, 0, 0, 0),
    "a signal when the parent ends": libc_call("prctl", 1, 9, 0, 0, 0),
    "a namespace for a thread": system_call("clone", 0x10F00 | 0x40000000, 0, 0, 0, 0),
    "code in memory that was none": libc_call("mprotect", ctypes.c_void_p(page), mmap.PAGESIZE, 5),
    "duplicate a name": call(lambda: os.open("/proc/self/fd/%d" % kept, os.O_RDONLY)),
}
thread = threading.Thread(target=lambda: tried.update(thread=["done", ""])); thread.start(); thread.join()
numbers = [*range(335), *range(424, 512)]  # between them stand the kernel's own, which no filter sees
beyond = [number for number in numbers if number not in listed.values() and not refused(number, 0, 0, 0, 0, 0, 0)]
tried["every call that is not listed"] = ["failed", 1] if not beyond else beyond
commands = [each for each in range(1200) if not refused(conditional["fcntl"], ours.fileno(), each, 0)]
tried["every other command of fcntl"] = ["failed", 1] if commands == [0, 1, 2, 3, 1030] else commands
needed = [
    len(os.sched_getaffinity(0)), time.clock_getres(time.CLOCK_MONOTONIC), time.process_time(), time.thread_time(),
    memory.madvise(mmap.MADV_DONTNEED), os.get_inheritable(kept), os.dup(kept), time.sleep(0.001),
]
tried["read what was handed over"] = call(lambda: os.pread(kept, 5, 0))
tried["early thread"] = ["failed", others[0]]
print(json.dumps([os.getuid(), tried]))
"""


@pytest.mark.parametrize("as_root", [True, False])
def test_a_confined_process_can_read_what_it_was_handed_and_nothing_else(tmp_path: Path, as_root: bool) -> None:
    if os.getuid() != 0 and as_root:
        pytest.skip("NOT RUN: these tests do not run as root")
    (tmp_path / "secret").write_text("hidden")
    (tmp_path / "secret").chmod(0o644)
    (tmp_path / "attempts.py").write_text(_ATTEMPTS)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "attempts.py"), *([] if as_root or os.getuid() else ["as a user"])],
        env={
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SECRET_FILE": str(tmp_path / "secret"),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    uid, tried = json.loads(done.stdout)
    assert uid != 0
    assert tried.pop("read what was handed over") == ["done", "b'hidde'"]
    assert tried.pop("thread") == ["done", ""]
    assert {name: said for name, said in tried.items() if said != ["failed", 1]} == {}


def test_the_decoder_is_confined_and_its_parent_closed_to_it(tmp_path: Path) -> None:
    with Inspector() as inspector:
        inspector.inspect(paint_landscape(tmp_path / "a.jpg", seed=1, size=(600, 400)))
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{inspector.pid}/status").read_text().splitlines())
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert status["Uid"].split()[0] != "0"
    assert int(status["CapEff"], 16) == 0
    assert ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0


def test_a_file_that_the_decoders_user_could_not_open_is_read(tmp_path: Path) -> None:
    path = paint_landscape(tmp_path / "a.jpg", seed=1, size=(600, 400))
    raw = write_dng(tmp_path / "a.dng", np.full((120, 160, 3), 0.3))
    tmp_path.chmod(0o700)
    for each in (path, raw):
        each.chmod(0o600)
    with Inspector() as inspector:
        assert inspector.inspect(path).width == 600
        assert inspector.inspect(raw).width == 160


def test_a_kernel_that_cannot_confine_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = subprocess.Popen

    def lax(arguments: list[str], **options: object) -> subprocess.Popen[bytes]:
        program = 'import sys; print(\'{"unconfined": "seccomp: not there"}\', flush=True); sys.stdin.read()'
        return kept([arguments[0], "-c", program], **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(sandbox.subprocess, "Popen", lax)
    said: list[dict[str, object]] = []
    monkeypatch.setattr(sandbox.logger, "warning", lambda message, **keys: said.append({"message": message, **keys}))
    process = sandbox._Decoder(None)
    process.close()
    assert said == [{"message": "the decoder may do all that this user may", "reason": "seccomp: not there"}]
    assert "DecodersUnconfined" in metrics().metric_set
    metrics().clear_metrics()
