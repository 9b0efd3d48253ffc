"""A system on which nearly nothing of the jail is to be had, as on some functions in a cloud; run as a program by root.

No namespaces, no other user, no Landlock, no filter of system calls: each answers EPERM, for this process and all it
starts. With ``--without-proc`` /proc is empty too. What the pool then is and does is printed as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, BinaryIO

import hostile
import pictures
from darkroom.errors import UnreadableImage
from darkroom.transform import Order, sandbox
from darkroom.transform.jail import JailedTransform
from darkroom.transform.recipes import DEFAULT_RECIPES

if TYPE_CHECKING:
    from collections.abc import Iterator

_MISSING = {"x86_64": (105, 106, 116, 117, 119, 272, 317, 444), "aarch64": (144, 146, 147, 149, 159, 97, 277, 444)}
"""The system calls that set users and groups, unshare, seccomp and landlock_create_ruleset."""
_PRCTL = {"x86_64": 157, "aarch64": 167}
_NEW_MOUNTS = 0x00020000
_RECURSIVE_PRIVATE = 0x44000


def move_in(*, without_proc: bool) -> None:
    if without_proc:
        hostile.fail_if(hostile.LIBC.unshare(_NEW_MOUNTS))
        hostile.fail_if(hostile.LIBC.mount(b"none", b"/", None, _RECURSIVE_PRIVATE, None))
        hostile.fail_if(hostile.LIBC.mount(b"none", b"/proc", b"tmpfs", 0, None))
    sandbox.forbid_new_privileges()
    sandbox._call("capset", bytes.fromhex("2205082000000000"), bytes(24))
    load, equal, give = sandbox._LOAD, sandbox._EQUAL, sandbox._RETURN
    refuse = sandbox._ERROR | errno.EPERM
    program = [sandbox._instruction(load, 0)]
    for number in _MISSING[os.uname().machine]:
        program += [sandbox._instruction(equal, number, unequal=1), sandbox._instruction(give, refuse)]
    program += [
        sandbox._instruction(equal, _PRCTL[os.uname().machine], unequal=3),
        sandbox._instruction(load, 16),
        sandbox._instruction(equal, sandbox._PR_SET_SECCOMP, unequal=1),
        sandbox._instruction(give, refuse),
        sandbox._instruction(give, sandbox._ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(program))
    filtered = (ctypes.c_ulong * 2)(len(program), ctypes.addressof(code))
    hostile.fail_if(hostile.LIBC.prctl(sandbox._PR_SET_SECCOMP, 2, filtered, 0, 0))


@contextlib.contextmanager
def in_memory(content: bytes) -> Iterator[BinaryIO]:
    with os.fdopen(os.memfd_create("original"), "w+b") as file:
        file.write(content)
        file.flush()
        yield file


def attempt(pool: JailedTransform, name: str, **arguments: object) -> str:
    with in_memory(json.dumps({"attempt": name, **arguments}).encode()) as original:
        try:
            pool.render(original, Order(recipes=()))
        except UnreadableImage as refusal:
            return refusal.detail
    return "rendered"


def main() -> None:
    move_in(without_proc="--without-proc" in sys.argv)
    told: dict[str, object] = {}
    with contextlib.closing(JailedTransform(1)) as pool, in_memory(pictures.heic(640, 480)) as original:
        told["layers"] = pool.active_layers()
        told["slots"] = len(pool.render(original, Order(recipes=DEFAULT_RECIPES)).slots)
    kept = bytearray(b"a secret of the service")
    where = ctypes.addressof((ctypes.c_char * len(kept)).from_buffer(kept))
    with contextlib.closing(JailedTransform(1, render="hostile:render")) as pool:
        told["environment of the service"] = attempt(pool, "read_file", path=f"/proc/{os.getpid()}/environ")
        told["memory of the service"] = attempt(pool, "read_memory_of", process=os.getpid(), address=where)
        told["tracing the service"] = attempt(pool, "trace", process=os.getpid())
        told["tracing the zygote"] = attempt(pool, "trace", process=pool.processes()[0])
        told["its own environment"] = json.loads(attempt(pool, "describe"))["environment"]
        with tempfile.TemporaryDirectory() as folder:
            told["writing"] = attempt(pool, "write_file", path=f"{folder}/new")
        told["writing the original"] = attempt(pool, "write_original")
    print(json.dumps(told))  # noqa: T201  # its answer


if __name__ == "__main__":
    main()
