"""The processes behind the jailed transform: a zygote that imports and forks, and the workers that it forks.

The zygote is a fresh interpreter with nothing of the service's environment or files. It imports the decoders once and
has one thread only, so that forking it is safe and cheap: a worker begins with everything loaded and shares the memory.
The zygote never sees a stranger's byte. A worker enters the jail before its first one, and needs nothing but one socket
from then on.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from darkroom.errors import Refused, UnreadableImage
from darkroom.transform import Slot, messages, sandbox
from darkroom.transform.headers import dimensions

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from darkroom.transform import Order, Rendered, Wish

    Render = Callable[[BinaryIO, Order | Wish], Rendered | Slot]

COMMAND = struct.Struct("!cI")
"""To the zygote: what to do, and the number by which the service knows a worker."""
FORK, END, DROP = b"f", b"e", b"d"
"""Make a worker that talks over the descriptor that comes along; kill one and say how it ended; kill one."""
STATUS = struct.Struct("!i")
"""From the zygote: 0 once it is ready, then for each END an exit code, negative for a signal."""

_CHANNEL = 3
_NICENESS = 5
"""Pictures are made when delivering leaves time for it."""
_FIRST_TO_DIE = 1000
"""When the machine has no memory left, the kernel is to take a worker, not the service (proc_pid_oom_score_adj(5))."""
_DESCRIPTORS = 64
_DECODING_BYTES = 28
"""What decoding may take for each pixel. Measured with libvips 8.18 on 25 megapixels of every format: 27 for an AVIF of
12 bits with alpha and whole colour, 20 for other AVIF, 17 and less for all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a zygote is told as its one argument."""

    render: str
    """``module:function``; importing the module starts no threads."""
    memory_bytes: int
    cpu_seconds: int


def main(setup: Setup) -> None:
    """Be the zygote until the service ends or closes the control socket, which is the standard input."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_FIRST_TO_DIE))
    # Whoever stops the service stops it alone: a zygote and its workers end when the service closes the socket.
    for unasked in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(unasked, signal.SIG_IGN)
    os.nice(_NICENESS)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, most))
    separated = sandbox.separate()
    with contextlib.suppress(OSError):
        sandbox.hide_memory()  # only now, because to be separate takes writing to its own entry in /proc
    render = _load(setup.render)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=0) as control:
        control.send(STATUS.pack(0))
        _Zygote(control, render, setup, separated=separated).serve()


def _load(name: str) -> Render:
    module_name, _, function = name.partition(":")
    render: Render = getattr(importlib.import_module(module_name), function)
    tasks = Path("/proc/self/task")
    if tasks.exists() and len(list(tasks.iterdir())) > 1:
        msg = f"importing {module_name} started threads; a process with threads cannot be forked safely"
        raise RuntimeError(msg)
    return render


class _Zygote:
    """Forks, kills and reaps. Only it waits for a worker, so a number never stands for another process by accident."""

    def __init__(self, control: socket.socket, render: Render, setup: Setup, *, separated: bool) -> None:
        self._control = control
        self._render = render
        self._bounds = sandbox.Bounds(memory_bytes=setup.memory_bytes, cpu_seconds=setup.cpu_seconds)
        self._separated = separated
        self._children: dict[int, int] = {}

    def serve(self) -> None:
        """Do as told; kill all there is when nobody is left to tell."""
        try:
            while command := self._next():
                self._do(*command)
        finally:
            for number in list(self._children):
                self._end(number)

    def _next(self) -> tuple[bytes, int, list[int]] | None:
        if not self._wait():
            return None
        data, descriptors, _, _ = socket.recv_fds(self._control, COMMAND.size, 1)
        if len(data) < COMMAND.size:
            return None
        what, number = COMMAND.unpack(data)
        return what, number, descriptors

    def _wait(self) -> bool:
        """Wait for a command; false when the service has ended, even if its socket lives on in a process it forked."""
        service = os.getppid()
        while not select.select([self._control], [], [], 1.0)[0]:
            if os.getppid() != service:
                return False
        return True

    def _do(self, what: bytes, number: int, descriptors: list[int]) -> None:
        if what == FORK:
            with contextlib.suppress(OSError):  # no process to be had: the service sees the socket closed
                self._children[number] = self._fork(descriptors[0])
            os.close(descriptors[0])
        else:
            status = self._end(number)
            if what == END:
                self._control.send(STATUS.pack(status))

    def _fork(self, channel: int) -> int:
        zygote = os.getpid()
        child = os.fork()
        if child == 0:
            try:
                _be_worker(channel, zygote, self._render, self._bounds, separated=self._separated)
            finally:
                os._exit(1)
        return child

    def _end(self, number: int) -> int:
        child = self._children.pop(number, None)
        if child is None:
            return 0
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)


def _be_worker(channel: int, zygote: int, render: Render, bounds: sandbox.Bounds, *, separated: bool) -> NoReturn:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.dup2(channel, _CHANNEL)
    os.closerange(_CHANNEL + 1, _DESCRIPTORS)
    service = socket.socket(fileno=_CHANNEL)
    layers = sandbox.enter(bounds, separated=separated, parent=zygote)
    _send(messages.frame({"layers": layers, "pid": os.getpid()}))
    while received := _receive(service):
        header, original = received
        _send(*_answer(render, header, original))
    os._exit(0)


def _receive(service: socket.socket) -> tuple[dict[str, Any], int] | None:
    """Return an order's header and the descriptor of its original, or ``None`` when no order will come any more."""
    first, descriptors, _, _ = socket.recv_fds(service, messages.LENGTH.size, 1)
    if not first:
        return None
    (length,) = messages.LENGTH.unpack(first)
    header = bytearray()
    while len(header) < length:
        part = os.read(_CHANNEL, length - len(header))
        if not part:
            return None
        header += part
    return messages.parse(bytes(header)), descriptors[0]


def _answer(render: Render, header: dict[str, Any], original: int) -> list[bytes]:
    with os.fdopen(original, "rb") as file:
        order = messages.order_from_header(header)
        try:
            rendered = render(file, order)
        except Exception as error:  # noqa: BLE001  # whatever a decoder raises is an answer
            decoder_failed = type(error) is UnreadableImage and error.__cause__ is not None
            blamed = MemoryError() if decoder_failed and _lacks_memory(file, order) else error
            return [messages.frame(messages.error_to_header(blamed))]
    if isinstance(rendered, Slot):
        return [messages.frame(messages.slot_to_header(rendered)), rendered.body]
    bodies = [slot.body for slot in rendered.slots]
    return [messages.frame(messages.rendered_to_header(rendered)), *bodies]


def _lacks_memory(original: BinaryIO, order: Order | Wish) -> bool:
    """Tell whether a picture may be too large for this worker. To a decoder, want of memory looks like damage."""
    try:
        width, height = dimensions(original)
        if width * height <= order.limits.pixels:
            # Only asked for, not touched: to fill gigabytes would take seconds.
            mmap.mmap(-1, _DECODING_BYTES * width * height, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return True
    except Refused:
        return False
    return False


def _send(*parts: bytes) -> None:
    # By write, because the filter of system calls has no send: that could name another receiver or carry descriptors.
    for part in parts:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(_CHANNEL, rest) :]


if __name__ == "__main__":
    main(Setup(**json.loads(sys.argv[1])))
