"""Why a layer of the jail is not to be had on this machine: each is tried by itself, in a process that ends with it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from darkroom.transform import sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 30
_BOUNDS = sandbox.Bounds(memory_bytes=2**30, cpu_seconds=30)
_NO_NAMESPACES = (
    "the system does not let this user make namespaces: the security profile of the container, "
    "user.max_user_namespaces, kernel.unprivileged_userns_clone or kernel.apparmor_restrict_unprivileged_userns"
)
_REASONS = {
    ("namespaces", errno.EPERM): _NO_NAMESPACES,
    ("namespaces", errno.EACCES): _NO_NAMESPACES,
    ("namespaces", errno.ENOSPC): _NO_NAMESPACES,
    ("landlock", errno.ENOSYS): "the kernel is older than 5.13 or was built without Landlock",
    ("landlock", errno.EOPNOTSUPP): "the kernel has Landlock but has it switched off; add it to lsm= at boot",
    ("landlock", errno.EPERM): "the security profile of the container forbids it",
    ("seccomp", errno.ENOSYS): "no filter is written for this kind of machine; there are x86_64 and aarch64",
    ("seccomp", errno.EINVAL): "the kernel was built without filters of system calls",
    ("unprivileged", errno.EPERM): "this user may neither become another one nor give up its capabilities",
}


def _filtered() -> None:
    sandbox.forbid_new_privileges()
    sandbox.shut_system_calls()


def _shut() -> None:
    sandbox.forbid_new_privileges()
    sandbox.shut_files()


_TRIALS: dict[str, Callable[[], None]] = {
    "rlimits": lambda: sandbox.limit(_BOUNDS, alone=False),
    "no-new-privileges": sandbox.forbid_new_privileges,
    "unprivileged": sandbox.drop_privileges,
    "namespaces": sandbox.move_to_namespaces,
    "landlock": _shut,
    "seccomp": _filtered,
}


def obstacles() -> dict[str, str]:
    """Return why, in a sentence, for each of ``LAYERS`` that is not to be had."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100  # as for the workers
    tried = subprocess.run(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-s", "-P", "-m", __name__],
        env={"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        timeout=_SECONDS,
        check=True,
    )
    failed: dict[str, int] = json.loads(tried.stdout)
    return {name: _REASONS.get((name, number), os.strerror(number)) for name, number in failed.items()}


def _try(apply: Callable[[], None]) -> int:
    """Return 0, or the number of the error."""
    child = os.fork()
    if child == 0:
        number = errno.EIO
        try:
            apply()
            number = 0
        except OSError as error:
            number = error.errno or errno.EIO
        finally:
            os._exit(number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    tried = {name: _try(apply) for name, apply in _TRIALS.items()}
    print(json.dumps({name: number for name, number in tried.items() if number}))  # noqa: T201  # its answer
