"""The jailed transform: strangers' files are decoded in processes that can do nothing but decode.

The service talks to each worker over one socket and never looks further into it. A worker that crashes, hangs, runs
over its bounds or says something odd is killed, and another takes its place; only its own caller notices.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from darkroom.errors import BadConfiguration, DarkroomError, RenderFailed, Unavailable
from darkroom.transform import Rendered, messages, worker
from darkroom.transform.sandbox import LAYERS, hide_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.transform import Order, Slot, Wish

_Made = TypeVar("_Made")

_MEBIBYTE = 1024 * 1024
_START_SECONDS = 30.0
"""For a zygote to import its libraries on a busy machine, and for a worker to enter the jail."""
_STOP_SECONDS = 10.0
_STOPPING = "the service is stopping"
_MALLOC = ":".join(
    f"glibc.malloc.{tunable}={value}"
    for tunable, value in {
        "hugetlb": 1,
        "arena_max": 1,
        "mmap_threshold": 4 * _MEBIBYTE,
        "trim_threshold": 4 * _MEBIBYTE,
        "top_pad": 2 * _MEBIBYTE,
    }.items()
)
"""Pictures are large and short-lived: large pages are quicker to get, and one arena gives all back that is not used.

Measured on an 8-megapixel photo (AVIF and JPEG in three sizes): a fresh worker takes a sixth of the page faults and
45 ms less, an idle one holds 61 MiB in place of 174. Other C libraries do not read this.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one image may cost before its worker is killed, and how many images a worker is kept for."""

    seconds: float = 60.0
    """From handing over the original to the last byte of the answer."""
    cpu_seconds: int = 120
    """Processor time of all threads together; each image has at least this and at most twice as much."""
    memory_bytes: int = 3072 * _MEBIBYTE
    """Enough for 100 megapixels of any format."""
    answer_bytes: int = 256 * _MEBIBYTE
    """All finished pictures of one image together."""
    images: int = 1
    """After so many a worker is replaced by a fresh one; with one, a hostile file has nobody but itself to reach."""


class JailedTransform:
    """A pool of jailed workers. Any number of threads may render at once; each waits for a worker of its own."""

    def __init__(
        self,
        workers: int,
        *,
        allowance: Allowance | None = None,
        required: frozenset[str] = frozenset(),
        render: str = "darkroom.transform.inline:perform",
    ) -> None:
        """Start all workers. ``render`` is the ``module:function`` they run; ``required`` are names of ``LAYERS``.

        Raises ``BadConfiguration`` when a required layer is unknown or not to be had here, or when no worker starts.
        """
        if unknown := sorted(required - LAYERS.keys()):
            msg = f"{', '.join(unknown)}: no such layer of the jail; there are {', '.join(LAYERS)}"
            raise BadConfiguration(msg)
        with contextlib.suppress(OSError):
            # Where neither Landlock nor seccomp is to be had, a worker of the same user still finds no secret here.
            hide_memory()
        self._allowance = allowance or Allowance()
        self._required = required
        self._decoder = render
        self._closed = False
        self._zygote: _Zygote | None = None
        self._zygote_lock = threading.Lock()
        self._idle: deque[_Worker | None] = deque()
        self._returned = threading.Condition()
        try:
            self._layers = self._start(workers)
        except BadConfiguration:
            self.close()
            raise

    def active_layers(self) -> tuple[str, ...]:
        """Return the names of the layers that hold every worker, in the order of ``LAYERS``."""
        return self._layers

    def processes(self) -> tuple[int, ...]:
        """Return the process ids of the zygote and of those workers that are idle and were ever used or waited for."""
        with self._returned, self._zygote_lock:
            workers = tuple(each.pid for each in self._idle if each is not None and each.pid)
            return workers if self._zygote is None else (self._zygote.pid, *workers)

    def render(self, original: BinaryIO, order: Order) -> Rendered:
        return self._have_done(original, lambda jailed, descriptor: jailed.render(descriptor, order, self._allowance))

    def make(self, original: BinaryIO, wish: Wish) -> Slot:
        return self._have_done(original, lambda jailed, descriptor: jailed.make(descriptor, wish, self._allowance))

    def _have_done(self, original: BinaryIO, work: Callable[[_Worker, int], _Made | DarkroomError]) -> _Made:
        with _read_only(original) as descriptor:
            outcome = self._outcome(lambda jailed: work(jailed, descriptor))
        if isinstance(outcome, DarkroomError):
            raise outcome
        return outcome

    def close(self) -> None:
        with self._returned:
            self._closed = True
            idle = [each for each in self._idle if each is not None]
            self._idle.clear()
            self._returned.notify_all()
        for each in idle:
            each.kill()
        with self._zygote_lock:
            if self._zygote is not None:
                self._zygote.close()

    def _outcome(self, work: Callable[[_Worker], _Made | DarkroomError]) -> _Made | DarkroomError:
        jailed = self._take()
        reusable = False
        try:
            outcome = work(jailed)
            reusable = not isinstance(outcome, RenderFailed) and not jailed.is_spent(self._allowance)
        except (OSError, messages.Malformed) as error:
            reason = jailed.post_mortem(error, self._allowance)
            raise (Unavailable(_STOPPING) if self._closed else RenderFailed(reason)) from error
        finally:
            if not reusable:
                jailed.kill()
            self._put_back(jailed if reusable else self._replacement(), warm=reusable)
        return outcome

    def _start(self, count: int) -> tuple[str, ...]:
        """Return the layers that hold in all of ``count`` fresh workers. Raises ``BadConfiguration``."""
        try:
            for _ in range(count):
                self._put_back(self._spawn(), warm=True)
            fresh = [each for each in self._idle if each is not None]
            for each in fresh:
                each.wait_until_jailed()
        except OSError as error:
            msg = "the decoding processes do not start; what they wrote to the standard error stream says why"
            raise BadConfiguration(msg) from error
        layers = tuple(name for name in LAYERS if all(name in each.layers for each in fresh))
        if missing := sorted(self._required.difference(layers)):
            msg = f"the jail has no {', '.join(missing)} on this system, and was told not to start without"
            raise BadConfiguration(msg)
        return layers

    def _take(self) -> _Worker:
        with self._returned:
            self._returned.wait_for(lambda: self._idle or self._closed)
            if self._closed:
                raise Unavailable(_STOPPING)
            jailed = self._idle.pop()
        try:
            return self._fit_for_work(jailed)
        except BaseException as error:
            self._put_back(None, warm=False)
            if isinstance(error, OSError | messages.Malformed):
                raise Unavailable("no decoding process could be started") from error
            raise

    def _fit_for_work(self, jailed: _Worker | None) -> _Worker:
        """Return ``jailed``, or a fresh worker when it has died or spoken unasked, in the jail that was required."""
        if jailed is not None and jailed.has_spoken():
            jailed.kill()
            jailed = None
        if jailed is None:
            jailed = self._spawn()
        try:
            jailed.wait_until_jailed()
        except BaseException:
            jailed.kill()
            raise
        if not self._required <= jailed.layers:
            jailed.kill()
            raise PermissionError("the jail has fewer layers than required")
        return jailed

    def _replacement(self) -> _Worker | None:
        """Return a worker that is only just being forked, so that nobody waits for it, or ``None`` when none can be."""
        try:
            return self._spawn()
        except OSError:
            return None

    def _put_back(self, jailed: _Worker | None, *, warm: bool) -> None:
        """Let others take a worker; one that is warm goes first, one that has yet to start has time to do so."""
        with self._returned:
            if not self._closed:
                (self._idle.append if warm else self._idle.appendleft)(jailed)
                self._returned.notify()
                return
        if jailed is not None:
            jailed.kill()

    def _spawn(self) -> _Worker:
        """Have a worker forked; it is ready some milliseconds later. Raises ``OSError``."""
        with self._zygote_lock:
            if self._closed:
                raise BrokenPipeError("closed")
            if self._zygote is not None:
                with contextlib.suppress(OSError):  # it has died, by the kernel's want of memory or by a person's hand
                    return self._zygote.fork()
                self._zygote.close()
            self._zygote = _Zygote(self._decoder, self._allowance)
            return self._zygote.fork()


class _Zygote:
    """The service's side of the process that forks workers. Safe to use from several threads."""

    def __init__(self, render: str, allowance: Allowance) -> None:
        """Start it and wait until it is ready. Raises ``OSError``."""
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._control, theirs = socket.socketpair()
        setup = worker.Setup(
            render=render,
            memory_bytes=allowance.memory_bytes,
            cpu_seconds=2 * allowance.cpu_seconds,
        )
        environment = {
            "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path),  # noqa: PTH100  # no links resolved
            "GLIBC_TUNABLES": _MALLOC,
            # There is no disc to spill to: what does not fit into memory fails.
            "VIPS_DISC_THRESHOLD": str(allowance.memory_bytes),
        }
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, "-s", "-P", "-m", worker.__name__, json.dumps(asdict(setup))],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        self._control.settimeout(_START_SECONDS)
        if self._status() != 0:
            self.close()
            raise ChildProcessError("the process that forks the workers did not start")

    @property
    def pid(self) -> int:
        return self._process.pid

    def fork(self) -> _Worker:
        """Raises ``OSError``."""
        ours, theirs = socket.socketpair()
        number = next(self._numbers)
        try:
            with theirs, self._lock:
                socket.send_fds(self._control, [worker.COMMAND.pack(worker.FORK, number)], [theirs.fileno()])
        except OSError:
            ours.close()
            raise
        return _Worker(self, number, ours)

    def end(self, number: int) -> int | None:
        """Kill a worker if it still lives; return its exit code, negative for a signal, or ``None`` if nobody knows."""
        with self._lock:
            try:
                self._control.send(worker.COMMAND.pack(worker.END, number))
                return self._status()
            except OSError:
                return None

    def drop(self, number: int) -> None:
        """Have a worker killed, without waiting for it."""
        with self._lock, contextlib.suppress(OSError):  # the zygote's death was its workers' too
            self._control.send(worker.COMMAND.pack(worker.DROP, number))

    def close(self) -> None:
        """Let the zygote kill its workers and go, and wait for that."""
        self._control.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _status(self) -> int | None:
        said = self._control.recv(worker.STATUS.size, socket.MSG_WAITALL)
        return int(worker.STATUS.unpack(said)[0]) if len(said) == worker.STATUS.size else None


class _Worker:
    """The service's side of one worker. Used by one thread at a time. Nothing that comes from it is believed."""

    def __init__(self, zygote: _Zygote, number: int, channel: socket.socket) -> None:
        self.layers: frozenset[str] = frozenset()
        self.pid = 0
        self._zygote = zygote
        self._number = number
        self._channel = channel
        self._images = 0
        self._ended = False

    def wait_until_jailed(self) -> None:
        """Wait for a fresh worker's first words, its last honest ones. Raises ``OSError`` or ``Malformed``."""
        if self.pid == 0:
            said = self._header(time.monotonic() + _START_SECONDS)
            self.layers, self.pid = frozenset(said["layers"]), said["pid"]

    def has_spoken(self) -> bool:
        """Tell whether a worker that nobody asked has something to read: an early answer, or its end."""
        readable = select.poll()  # select itself knows descriptors up to 1023 only
        readable.register(self._channel, select.POLLIN)
        return self.pid != 0 and bool(readable.poll(0))

    def is_spent(self, allowance: Allowance) -> bool:
        """Tell whether another worker should take the next image."""
        return self._images >= allowance.images or self._cpu_seconds() >= allowance.cpu_seconds

    def render(self, descriptor: int, order: Order, allowance: Allowance) -> Rendered | DarkroomError:
        """Return what the worker made, or the error it named. Raises ``OSError`` or ``Malformed``."""
        deadline = time.monotonic() + allowance.seconds
        self._send(descriptor, order, deadline)
        length, sha256 = _measure(descriptor)  # meanwhile the worker is decoding
        header = self._header(deadline)
        if error := messages.error_of(header):
            return error
        slots = messages.slots_of(header, order, most_bytes=allowance.answer_bytes)
        facts = messages.facts_of(header, order, length=length, sha256=sha256)
        filled = tuple(
            messages.check_body(replace(slot, body=self._read(body_length, deadline))) for slot, body_length in slots
        )
        return Rendered(facts=facts, slots=filled)

    def make(self, descriptor: int, wish: Wish, allowance: Allowance) -> Slot | DarkroomError:
        """Return the picture that was wished for; otherwise as ``render``."""
        deadline = time.monotonic() + allowance.seconds
        self._send(descriptor, wish, deadline)
        header = self._header(deadline)
        if error := messages.error_of(header):
            return error
        slot, length = messages.picture_of(header, wish, most_bytes=allowance.answer_bytes)
        return messages.check_body(replace(slot, body=self._read(length, deadline)))

    def _send(self, descriptor: int, order: Order | Wish, deadline: float) -> None:
        self._images += 1
        request = messages.frame(messages.order_to_header(order))
        self._channel.settimeout(_left(deadline))
        sent = socket.send_fds(self._channel, [request], [descriptor])
        self._channel.sendall(request[sent:])

    def post_mortem(self, error: Exception, allowance: Allowance) -> str:
        """Kill the worker and return a sentence that says what was wrong with it."""
        self._ended = True
        status = self._zygote.end(self._number)
        self._channel.close()
        if isinstance(error, TimeoutError):
            return f"rendering took longer than {allowance.seconds:g} seconds"
        if isinstance(error, messages.Malformed):
            return f"the decoding process gave an answer that none should: {error}"
        if status == -signal.SIGXCPU:
            return f"rendering took more than {allowance.cpu_seconds} seconds of processor time"
        if status == -signal.SIGKILL:
            return "the decoding process was killed, most likely for want of memory"
        if status is not None and status < 0:
            return f"the decoding process crashed: {signal.strsignal(-status)}"
        return "the decoding process ended before it had answered"

    def kill(self) -> None:
        """End it, whatever it is doing; safe to call twice."""
        if not self._ended:
            self._ended = True
            self._zygote.drop(self._number)
            self._channel.close()

    def _cpu_seconds(self) -> float:
        """Return the processor time used so far. No other process can have its id: the zygote has not reaped it."""
        clock = ~self.pid << 3 | 2  # MAKE_PROCESS_CPUCLOCK of Linux: any process, user and system time of all threads
        try:
            return time.clock_gettime(clock)
        except OSError:
            return float("inf")

    def _header(self, deadline: float) -> dict[str, Any]:
        (length,) = messages.LENGTH.unpack(self._read(messages.LENGTH.size, deadline))
        if length > messages.HEADER_MAX:
            raise messages.Malformed("a header that is too long")
        return messages.parse(self._read(length, deadline))

    def _read(self, length: int, deadline: float) -> bytes:
        whole = bytearray(length)
        rest = memoryview(whole)
        while rest:
            self._channel.settimeout(_left(deadline))
            count = self._channel.recv_into(rest)
            if count == 0:
                raise ConnectionResetError
            rest = rest[count:]
        return bytes(whole)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextlib.contextmanager
def _read_only(original: BinaryIO) -> Iterator[int]:
    """Open the same file anew: a worker must not change it, nor its position in the caller's hands."""
    try:
        descriptor = os.open(f"/proc/self/fd/{original.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no such file system, or a file that this user may read only because it was handed over
        descriptor = os.dup(original.fileno())
        os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _measure(descriptor: int) -> tuple[int, str]:
    """Return the length and the SHA-256 of the original, without moving the position that the worker reads from."""
    digest, length = hashlib.sha256(), 0
    while part := os.pread(descriptor, _MEBIBYTE, length):
        digest.update(part)
        length += len(part)
    return length, digest.hexdigest()
