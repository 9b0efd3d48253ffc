"""What a stranger's file might do once it has taken a decoder over. Stands in for the decoder in a jailed worker.

The "picture" is a JSON object: what to attempt, and with what. An attempt that succeeds answers ``escaped``, one that
is stopped answers ``denied: EPERM`` or the like, both as the detail of ``UnreadableImage``.

Run as a program with the name of one layer of the sandbox (``none``, ``all but seccomp``) and such an object, it makes
the attempt behind that layer alone and prints the answer, or ``absent`` where there is no such layer.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import hashlib
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from darkroom.errors import UnreadableImage
from darkroom.model import Exif, Facts, Format, Source
from darkroom.transform import Order, Rendered, Slot, messages, sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
CHANNEL = 3
BODIES = {
    Format.JPEG: b"\xff\xd8\xff\xe0 not much of a picture",
    Format.AVIF: b"\x00\x00\x00\x14ftypavif\x00\x00\x00\x00avif and no more",
}


def render(original: BinaryIO, order: Order) -> Rendered:
    request = json.loads(original.read())
    original.seek(0)
    attempt = ATTEMPTS[request.pop("attempt")]
    if attempt in WITH_ORIGINAL:
        rendered: Rendered = attempt(original, order, **request)
        return rendered
    raise UnreadableImage(outcome_of(attempt, request))


def denied(error: OSError) -> str:
    return f"denied: {errno.errorcode[error.errno or 0]}"


def outcome_of(attempt: Callable[..., object], request: dict[str, Any]) -> str:
    try:
        attempt(**request)
    except OSError as error:
        return denied(error)
    return "escaped"


# What an honest decoder does.


def paint(original: BinaryIO, order: Order, *, seconds: float = 0.0, body_bytes: int = 0) -> Rendered:
    time.sleep(seconds)
    content = original.read()
    facts = Facts(
        source=Source(
            format=Format.JPEG,
            width=4,
            height=3,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            has_alpha=False,
            frames=1,
        ),
        placeholder=base64.b64encode(b"placeholder").decode(),
        color="#7f6a55",
        colors=("#7f6a55",),
        exif=Exif(camera="Brightbox One", iso=100, f_number=1.8),
    )
    slots = tuple(
        Slot(
            variant=recipe.name,
            extension=form.extension,
            format=form,
            width=4,
            height=3,
            body=BODIES[form] + bytes(body_bytes),
            listed=True,
        )
        for recipe in order.recipes
        for form in recipe.formats
    )
    return Rendered(facts=facts, slots=slots)


def describe(original: BinaryIO, order: Order) -> NoReturn:
    """Tell what the worker knows of the world."""
    told = {
        "process": os.getpid(),
        "environment": sorted(os.environ),
        "descriptors": [number for number in range(4_000) if is_open(number)],
        "focus": order.focus,
    }
    raise UnreadableImage(json.dumps(told))


def is_open(number: int) -> bool:
    try:
        os.lseek(number, 0, os.SEEK_CUR)
    except OSError as error:
        return error.errno != errno.EBADF
    return True


def write_original(original: BinaryIO, order: Order) -> NoReturn:
    try:
        os.write(original.fileno(), b"x")
    except OSError as error:
        raise UnreadableImage(denied(error)) from None
    raise UnreadableImage("escaped")


def answer_ahead(original: BinaryIO, order: Order) -> NoReturn:
    """Leave an answer behind for the next image."""
    os.write(CHANNEL, messages.frame(messages.error_to_header(UnreadableImage("the first"))))
    raise UnreadableImage("forged")


def use_threads(original: BinaryIO, order: Order) -> NoReturn:
    done: list[int] = []
    threads = [threading.Thread(target=done.append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = f"{len(done)} threads ran"
    raise UnreadableImage(told)


# Ways out.


def read_file(path: str) -> None:
    with Path(path).open("rb") as file:
        file.read(1)


read_environment = read_file


def write_file(path: str) -> None:
    with Path(path).open("wb") as file:
        file.write(b"x")


def list_folder(path: str) -> None:
    list(Path(path).iterdir())


def remove_file(path: str) -> None:
    Path(path).unlink()


def look_at_file(path: str) -> None:
    Path(path).stat()


def connect(port: int) -> None:
    with socket.socket() as sender:
        sender.connect(("127.0.0.1", port))


def listen() -> None:
    with socket.socket() as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.listen()


def send_datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", port))


def connect_local(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as sender:
        sender.connect(f"\0{name}")


def open_without_end() -> None:
    kept = []
    while True:
        kept.append(os.dup(0))


def fork_without_end() -> None:
    """Fork until that is not possible any more; the children end with this process."""
    for _ in range(sandbox.THREADS + 1):
        if os.fork() == 0:
            sandbox.die_with_parent()
            time.sleep(30)
            os._exit(0)


def execute() -> None:
    LIBC.execv(b"/bin/echo", (ctypes.c_char_p * 3)(b"echo", b"escaped", None))
    fail_if(-1)


def fork_bomb() -> None:
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def signal_process(process: int) -> None:
    os.kill(process, 0)


def trace(process: int) -> None:
    fail_if(LIBC.ptrace(16, process, None, None))  # PTRACE_ATTACH
    os.waitpid(process, 0x40000000)  # __WALL: also one that is no child
    fail_if(LIBC.ptrace(17, process, None, None))  # PTRACE_DETACH


def read_memory_of(process: int, address: int) -> None:
    local, remote = (ctypes.c_char * 8)(), (ctypes.c_size_t * 2)(address, 8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(local), 8)
    fail_if(LIBC.process_vm_readv(process, vector, 1, remote, 1, 0))


def change_limits_of(process: int) -> None:
    resource.prlimit(process, resource.RLIMIT_CORE, resource.prlimit(process, resource.RLIMIT_CORE))


def run_written_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def change_namespaces() -> None:
    fail_if(LIBC.unshare(0x10000000))


def mount(path: str) -> None:
    fail_if(LIBC.mount(b"none", path.encode(), b"tmpfs", 0, None))
    fail_if(LIBC.umount(path.encode()))


def fail_if(result: int) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# Ways to be a nuisance.


def crash() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def leave() -> None:
    os._exit(0)


def hang() -> None:
    time.sleep(3600)


def spin() -> None:
    while True:
        pass


def spin_for(seconds: float) -> None:
    while time.process_time() < seconds:
        pass


def fill_memory() -> None:
    hoard = []
    while True:
        hoard.append(b"x" * (16 * 1024 * 1024))


def fill_shared_memory() -> None:
    hoard = []
    while True:
        hoard.append(mmap.mmap(-1, 16 * 1024 * 1024, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))


def many_threads(count: int) -> None:
    for _ in range(count):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


def hoard_threads(seconds: float) -> None:
    """Take all threads there are, and keep them."""
    threading.stack_size(32 * 1024)
    try:
        many_threads(count=50_000)
    except RuntimeError:
        time.sleep(seconds)


def answer(parts: list[str]) -> None:
    for part in parts:
        os.write(CHANNEL, base64.b64decode(part))
    time.sleep(3600)


def stumble() -> None:
    raise KeyError("a mistake\nof two lines")


WITH_ORIGINAL: set[Callable[..., object]] = {paint, describe, use_threads, write_original, answer_ahead}
ATTEMPTS: dict[str, Callable[..., Any]] = {name: thing for name, thing in list(globals().items()) if callable(thing)}


def add_landlock_ruleset() -> None:
    """Forbid nothing but to bind TCP ports; a process can have 16 rulesets, after which Landlock is not to be had."""
    sandbox.forbid_new_privileges()
    nothing, bind_tcp = 0, 1
    rules = struct.pack("=QQ", nothing, bind_tcp)
    ruleset = LIBC.syscall(444, rules, len(rules), 0)
    fail_if(ruleset)
    fail_if(LIBC.syscall(446, ruleset, 0))
    os.close(ruleset)


def taken_away(*arguments: object, **named: object) -> NoReturn:
    """Stand in for a layer that is not to be had."""
    raise PermissionError(errno.EPERM, "taken away")


MAKERS = {
    "rlimits": "limit",
    "no-new-privileges": "forbid_new_privileges",
    "unprivileged": "drop_privileges",
    "namespaces": "move_to_namespaces",
    "landlock": "shut_files",
    "seccomp": "shut_system_calls",
}
"""By which function of the sandbox each layer is made."""


def enter_without(layer: str) -> bool:
    """Enter the jail as a worker does, but for one layer; tell whether all others hold."""
    setattr(sandbox, MAKERS[layer], taken_away)
    bounds = sandbox.Bounds(memory_bytes=512 << 20, cpu_seconds=20)
    held = sandbox.enter(bounds, separated=sandbox.separate(), parent=os.getppid())
    return set(held) == sandbox.LAYERS.keys() - {layer}


LAYERS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "rlimits": lambda: sandbox.limit(sandbox.Bounds(memory_bytes=128 << 20, cpu_seconds=1), alone=False),
    "unprivileged": sandbox.drop_privileges,
    "namespaces": sandbox.separate,
    "landlock": sandbox.shut_files,
    "seccomp": sandbox.shut_system_calls,
    **{f"all but {layer}": partial(enter_without, layer) for layer in MAKERS},
}

if __name__ == "__main__":
    if sys.argv[1] in {"landlock", "seccomp"}:
        sandbox.forbid_new_privileges()
    try:
        absent = LAYERS[sys.argv[1]]() is False
    except OSError:
        absent = True
    if absent:
        print("absent")  # noqa: T201  # its answer
        sys.exit()
    request = json.loads(sys.argv[2])
    try:
        print(outcome_of(ATTEMPTS[request.pop("attempt")], request))  # noqa: T201  # its answer
    except MemoryError:
        print("denied: ENOMEM")  # noqa: T201  # as above
