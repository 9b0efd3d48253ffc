"""What the kernel takes away from a process before it may touch what strangers sent: the walls of the jail.

Each layer is applied where the platform has it, and none relies on another. Nothing outside this file calls the kernel
behind Python's back. Sources: landlock(7), seccomp(2), capabilities(7), namespaces(7), setrlimit(2), prctl(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LAYERS = {
    "rlimits": "memory, processor time and open files are bounded, no byte can be written to a file",
    "no-new-privileges": "no program can give the process more rights than it has",
    "unprivileged": "not root, and no capability of root's",
    "namespaces": "a network and an interprocess space of its own, both empty",
    "landlock": "no file can be opened; as far as the kernel knows how, no device, TCP port or local socket, no signal",
    "seccomp": "only the system calls that decoding needs: no open, socket, exec, fork, ptrace or signal",
}
"""Every layer there is, and what it takes away."""

NOBODY = 65_534
FIRST_USER = 0x7FFE0000
"""From here on are users that no system gives to anybody."""
USERS = 10_000
OPEN_FILES = 16
THREADS = 512
MAPPED_BYTES = 256 * 1024 * 1024
"""Address space beside the memory limit: for the mapped original and for what allocators reserve but do not use."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 15, 22, 38
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
_CLONE_VM, _CLONE_THREAD = 0x00000100, 0x00010000
_PROT_EXEC = 4
_LINUX_CAPABILITY_VERSION_3 = 0x20080522

_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # alike on every architecture
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_FILES = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
"""All rights to files that each version of the interface knows; the later ones know those of the fifth."""
_LANDLOCK_TCP, _LANDLOCK_SCOPES = 0b11, 0b11

_SYSTEM_CALLS = {  # name: number on x86_64, number on aarch64
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "recvmsg": (47, 212),
    "clone": (56, 220),
    "exit": (60, 93),
    "fcntl": (72, 25),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sigaltstack": (131, 132),
    "prctl": (157, 167),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "tgkill": (234, 131),
    "set_robust_list": (273, 99),
    "getrandom": (318, 278),
    "membarrier": (324, 283),
    "rseq": (334, 293),
    "clone3": (435, 435),
}
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""The column of the table above, and the AUDIT_ARCH by which a filter knows the machine."""

_FREE = tuple(
    name for name in _SYSTEM_CALLS if name not in {"mmap", "mprotect", "clone", "clone3", "fcntl", "prctl", "tgkill"}
)
_DUPLICATE_CLOSED_ON_EXEC, _GET_FLAGS, _SET_FLAGS, _GET_STATUS = 1030, 1, 2, 3
"""The commands of fcntl that concern only the process itself; F_SETOWN could send signals to others."""

_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06
_ALLOW, _ERROR, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one process may use from beginning to end."""

    memory_bytes: int
    cpu_seconds: int


def separate() -> bool:
    """Move this process, and those it will fork, into namespaces without network; tell whether that was possible.

    A process with one thread only may do so. Without root it needs a user namespace, which some systems forbid.
    """
    try:
        move_to_namespaces()
    except OSError:
        return False
    return True


def move_to_namespaces() -> None:
    """As ``separate``, but raises ``OSError`` where that is not possible."""
    flags = _CLONE_NEWNET | _CLONE_NEWIPC
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _call("unshare", flags)
        return
    _call("unshare", flags | _CLONE_NEWUSER)
    with suppress(OSError):  # without a name in there, no namespace can be made within
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")


def enter(bounds: Bounds, *, separated: bool, parent: int) -> tuple[str, ...]:
    """Apply every layer there is, for good, and return the names of those that hold.

    The process has one thread and has opened all it needs; ``separated`` is what ``separate`` said. It will end with
    the process ``parent``, which forked it; raises ``ProcessLookupError`` when that has ended already.
    """
    held = {"namespaces"} if separated else set()

    def attempt(name: str, apply: Callable[[], None]) -> None:
        with suppress(OSError):
            apply()
            held.add(name)

    if separated and os.geteuid() != 0:
        with suppress(OSError):  # threads are counted for each namespace of users; root becomes another user instead
            _call("unshare", _CLONE_NEWUSER)
    attempt("rlimits", lambda: limit(bounds, alone=separated or os.geteuid() == 0))
    attempt("unprivileged", drop_privileges)
    attempt("no-new-privileges", forbid_new_privileges)
    with suppress(OSError):
        die_with_parent()
        hide_memory()
    if os.getppid() != parent:  # it ended before the kernel was told to end this process with it
        raise ProcessLookupError(errno.ESRCH, "the parent has ended")
    attempt("landlock", shut_files)
    attempt("seccomp", shut_system_calls)
    return tuple(name for name in LAYERS if name in held)


def limit(bounds: Bounds, *, alone: bool) -> None:
    """Set the resource limits; ``alone``: no other program's threads count as this user's (setrlimit(2))."""
    limits = {
        resource.RLIMIT_DATA: bounds.memory_bytes,
        resource.RLIMIT_CPU: bounds.cpu_seconds,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    # Shared anonymous memory does not count as data, so the address space is bounded too.
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        mapped = int(statistics.read_text().split()[0]) * resource.getpagesize()
        limits[resource.RLIMIT_AS] = mapped + bounds.memory_bytes + MAPPED_BYTES
    if alone:
        limits[resource.RLIMIT_NPROC] = THREADS
    for which, wanted in limits.items():
        _, highest = resource.getrlimit(which)
        allowed = wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)
        # Over the lower limit of processor time a process ends by SIGXCPU, which tells why; over the upper by SIGKILL.
        upper = allowed + 1 if which == resource.RLIMIT_CPU and allowed != highest else allowed
        resource.setrlimit(which, (allowed, upper))


def drop_privileges() -> None:
    """Become somebody else if root, and give up every capability. Raises ``OSError`` when that is not possible.

    Each process somebody of its own: of those of one user each could keep all others from making threads.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        try:
            _become(FIRST_USER + os.getpid() % USERS)
        except OSError:  # a container that knows few users
            _become(NOBODY)
    header, nothing = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0), bytes(24)
    _call("capset", header, nothing)


def _become(user: int) -> None:
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends. Lost on a change of user: call it after."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def hide_memory() -> None:
    """Let no process of the same user look into this one's memory, environment or open files; nor make a core dump.

    Those that it forks inherit it; a program that is started begins without.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def forbid_new_privileges() -> None:
    """Set the flag that Landlock and seccomp ask for."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def shut_files() -> None:
    """Apply a Landlock ruleset that handles everything and allows nothing."""
    version = landlock_version()
    files = _LANDLOCK_FILES[min(version, max(_LANDLOCK_FILES))]
    rules = struct.pack("=Q", files)
    if version >= 4:
        rules += struct.pack("=Q", _LANDLOCK_TCP)
    if version >= 6:
        rules += struct.pack("=Q", _LANDLOCK_SCOPES)
    ruleset = _call("syscall", _LANDLOCK_CREATE_RULESET, rules, len(rules), 0)
    try:
        _call("syscall", _LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def landlock_version() -> int:
    """Return how much the kernel's Landlock knows: TCP ports from 4 on, signals and local sockets from 6 on."""
    return _call("syscall", _LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)


def shut_system_calls() -> None:
    """Install the seccomp filter. Raises ``OSError`` on a machine whose system calls are not in the table."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, "no filter is written for this machine", machine)
    program = _filter(machine, os.getpid())
    code = ctypes.create_string_buffer(program)
    prologue = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, prologue)


def _filter(machine: str, process: int) -> bytes:
    """Assemble the filter (classic BPF, see seccomp(2)): what is not allowed answers EPERM.

    New ways to make threads answer ENOSYS, upon which the C library uses the old one, whose flags can be looked at.
    Only the low half of an argument is compared: the kernel itself ignores the rest of each.
    """
    column, architecture = _MACHINES[machine]
    whole = 0xFFFFFFFF
    namespaces = 0x7E020000
    checked: dict[str, tuple[int, int, tuple[int, ...]]] = {  # name: argument, mask, allowed values
        "clone": (0, _CLONE_THREAD | _CLONE_VM | namespaces, (_CLONE_THREAD | _CLONE_VM,)),
        "mmap": (2, _PROT_EXEC, (0,)),
        "mprotect": (2, _PROT_EXEC, (0,)),
        "fcntl": (1, whole, (_GET_FLAGS, _SET_FLAGS, _GET_STATUS, _DUPLICATE_CLOSED_ON_EXEC)),
        "prctl": (0, whole, (_PR_SET_NAME,)),
        "tgkill": (0, whole, (process,)),
    }
    program = [
        _instruction(_LOAD, _ARCHITECTURE_AT),
        _instruction(_EQUAL, architecture, equal=1),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD, _NUMBER_AT),
    ]
    for name in _FREE:
        program += _answer_if(_SYSTEM_CALLS[name][column], _ALLOW)
    program += _answer_if(_SYSTEM_CALLS["clone3"][column], _ERROR | errno.ENOSYS)
    for name, (argument, mask, values) in checked.items():
        check = [_instruction(_LOAD, _ARGUMENTS_AT + 8 * argument), _instruction(_AND, mask)]
        for value in values:
            check += _answer_if(value, _ALLOW)
        check.append(_instruction(_RETURN, _ERROR | errno.EPERM))
        program.append(_instruction(_EQUAL, _SYSTEM_CALLS[name][column], unequal=len(check)))
        program += check
    program.append(_instruction(_RETURN, _ERROR | errno.EPERM))
    return b"".join(program)


def _answer_if(value: int, answer: int) -> list[bytes]:
    return [_instruction(_EQUAL, value, unequal=1), _instruction(_RETURN, answer)]


def _instruction(code: int, constant: int, *, equal: int = 0, unequal: int = 0) -> bytes:
    return struct.pack("=HBBI", code, equal, unequal, constant)


def _prctl(option: int, argument: int | bytes, extra: bytes | None = None) -> None:
    _call("prctl", option, argument, extra, None, None)


@cache  # made by the process that forks, so that each that it forks finds it there
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: int | bytes | None) -> int:
    """Call a function of the C library. Raises ``OSError`` when it answers -1, or is not there at all."""
    try:
        called = getattr(_library(), function)
    except AttributeError:
        raise OSError(errno.ENOSYS, "not on this platform", function) from None
    # Variadic functions read whole registers: a plain int would leave the upper half of one undefined.
    converted = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(called(*converted))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)
    return result
