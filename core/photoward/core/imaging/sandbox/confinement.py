"""What a child gives up before it reads a stranger's file: all but its memory and its one socket.

Two fences of the Linux kernel, either of which alone would hold most of it: *seccomp* refuses all
system calls but the few that computing and answering take, *Landlock* all files, TCP ports, named
sockets and signals to others. Knows no pictures; what a decoder needs is loaded before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

if sys.platform == "linux":
    import landlockpy
    import seccompy

ALLOWED = (
    # the socket, and closing
    "close",
    "fstat",
    "lseek",
    "poll",
    "ppoll",
    "read",
    "readv",
    "recvfrom",
    "recvmsg",
    "sendmsg",
    "sendto",
    "write",
    "writev",
    # memory
    "brk",
    "madvise",
    "membarrier",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    # time, chance, and what the machine has
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "getrandom",
    "getrusage",
    "gettimeofday",
    "nanosleep",
    "sched_getaffinity",
    "sched_yield",
    "sysinfo",
    "uname",
    # itself
    "exit",
    "exit_group",
    "futex",
    "getpid",
    "gettid",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "set_robust_list",
    "sigaltstack",
)
"""System calls by name. None opens, starts or finds anything."""

THREAD = 0x10000
"""``CLONE_THREAD``: libde265, which decodes HEIC, does not work without a thread of its own."""

OPEN_FILES = 3
"""Standard input, which is the socket, output and error."""

LANDLOCK, SECCOMP = "Landlock", "seccomp"


def lacking() -> list[str]:
    """The fences that cannot be put up on this machine."""
    if sys.platform != "linux":
        return [LANDLOCK, SECCOMP]
    return [
        name for name, fence in ((LANDLOCK, landlockpy), (SECCOMP, seccompy)) if not _there(fence)
    ]


def _there(fence: ModuleType) -> bool:
    try:
        return bool(fence.supported())
    except OSError:  # a container's own filter says no
        return False


def enclose() -> None:
    """Put up the fences that there are, around all threads of this process and for good.

    Raises:
        OSError: one is there and cannot be put up: then nothing must be decoded.
    """
    missing = lacking()
    if LANDLOCK not in missing:
        _put_up_landlock()
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    if SECCOMP not in missing:
        _put_up_seccomp()


def _put_up_landlock() -> None:
    """Everything that this kernel can refuse, without an exception."""
    scoped = landlockpy.Scope.SIGNAL | landlockpy.Scope.ABSTRACT_UNIX_SOCKET
    with landlockpy.Ruleset(scoped=scoped) as nothing:
        nothing.restrict(landlockpy.RestrictFlag.TSYNC)


def _put_up_seccomp() -> None:
    """What is not listed fails with EPERM: a library that asks for more can do without."""
    refusal = seccompy.Action.ERRNO | errno.EPERM
    fence = seccompy.Filter(refusal, flags=seccompy.FilterFlag.TSYNC)
    for name in ALLOWED:
        with contextlib.suppress(ValueError):  # not all processors have all
            fence.allow(name)
    fence.allow("prlimit64", args={0: 0})  # its own limits, of processor time above all
    fence.allow("tgkill", args={0: os.getpid()})  # abort() is how C libraries give up
    fence.allow("clone", args=[(0, seccompy.CmpOp.MASKED_EQ, THREAD, THREAD)])
    fence.errno("clone3", errno.ENOSYS)  # what it is asked for lies in memory: C libraries go on
    fence.load()
