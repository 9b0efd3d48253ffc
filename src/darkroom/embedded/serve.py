"""``darkroom serve``: one command that starts everything, watches it, and stops it in order.

This process answers nothing itself. It forks the processor and the HTTP workers (granian's), which share its imported
code, and restarts what dies. Whoever stops the service signals this process alone: the others are in sessions of their
own, where no Ctrl-C reaches them, and end when they are told to, or when they notice that this process is gone.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

from granian.constants import Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from darkroom import settings as configuration
from darkroom.access import LOCAL_OWNER, Scope
from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.embedded.logs import log_configuration, start_logging
from darkroom.errors import BadConfiguration, DarkroomError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from starlette.types import ASGIApp

    from darkroom.settings import Settings

log = logging.getLogger("darkroom.serve")

ANSWER_SECONDS = 5
"""For the requests in hand, once the service has been told to stop. Images are worked on meanwhile."""
WORK_SECONDS = 4.0
"""For the images in hand after that: more than the processor takes to hand back what it has not finished."""
ORPHAN_SECONDS = 0.5
"""How often a process looks whether the one that started it is still there."""
RESTART_SECONDS = 1.0
HEADER_SECONDS = 15
HEADER_BYTES = 64 * 1024
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PRIVATE = 0o077
"""Nobody else on the machine reads what the service writes."""


def serve(settings: Settings) -> int:
    """Run the service until it is told to stop; return the exit status.

    That is 0 after SIGTERM, Ctrl-C or the end of its terminal (which ``nohup`` has it ignore), and 1 when it could not
    go on. Raises ``BadConfiguration`` when it cannot start as it is set up.
    """
    start_logging(settings.log_level)
    os.umask(PRIVATE)
    wire.hide_memory()
    layout = Layout(settings.data)
    layout.lock()
    layout.prepare()
    _check_address(settings)
    configuration.hand_over(settings)
    wire.prepare(settings)
    _share_code()
    multiprocessing.set_start_method("fork", force=True)
    processor = Supervised(run_processor)
    server = _http_server(settings)
    told = _obey_signals(server, processor)
    try:
        processor.start()
        _greet(settings)
        server.serve()
    except SystemExit:
        log.debug("HTTP workers had died")  # some time or other; it is the server's way to say so
    finally:
        processor.stop()
        for number in SIGNALS:  # one more is too late, and must not be what this process ends by
            signal.signal(number, signal.SIG_IGN)
    return 0 if told else 1


def _http_server(settings: Settings) -> MPServer:
    return MPServer(
        f"{__name__}:{http_worker.__name__}",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=ANSWER_SECONDS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=HEADER_BYTES),
        log_level=LogLevels.warning,
        log_dictconfig=log_configuration(settings.log_level),
    )


def _obey_signals(server: MPServer, processor: Supervised) -> list[int]:
    """Have the service stop when it is signalled, from now on; return a list that will hold the signals it was told.

    Only the first is acted on: a handler may itself be interrupted by the next, and an event that is being set holds a
    lock that the second would wait for without end.
    """
    told: list[int] = []

    def stop(number: int, _frame: object) -> None:
        told.append(number)
        if len(told) > 1:
            return
        processor.may_end()
        server.signal_handler_interrupt()  # type: ignore[no-untyped-call]  # the library's part

    handlers = {number: stop for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}

    def obey() -> None:
        for number in SIGNALS:
            signal.signal(number, handlers.get(number, signal.SIG_IGN))

    obey()
    server.on_startup(obey)  # once more, because the server has set its own by then
    os.register_at_fork(after_in_child=_obey_no_longer)
    return told


def _obey_no_longer() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


class Supervised:
    """A child process that is started again when it dies before it may end."""

    def __init__(self, target: Callable[[Connection], None]) -> None:
        """Take what the child runs; it sends ``None`` once it works, or a sentence that says why it cannot."""
        self._target = target
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None

    def start(self) -> None:
        """Start the child, and a thread that watches it. Raises ``BadConfiguration`` when it does not come to work."""
        reason = self._begin()
        if reason is not None:
            raise BadConfiguration(reason)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def may_end(self) -> None:
        """Do not start the child again when it ends from now on."""
        self._ending.set()

    def stop(self) -> None:
        """Tell the child to finish, wait, and end it when it does not."""
        with self._lock:
            self._ending.set()
            process = self._process
        if process is None:
            return
        process.terminate()
        process.join(WORK_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()

    def _begin(self) -> str | None:
        """Start the child and wait until it works; return ``None``, or a sentence that says why it does not."""
        ours, theirs = multiprocessing.Pipe(duplex=False)
        with ours:
            with theirs, self._lock:
                if self._ending.is_set():
                    return None
                process = multiprocessing.Process(target=self._target, args=(theirs,), daemon=True)
                process.start()
                self._process = process
            while process.is_alive() or ours.poll():
                if ours.poll(0.1):
                    reason: str | None = ours.recv()
                    return reason
        return None if self._ending.is_set() else "the process that works on images does not start"

    def _watch(self) -> None:
        while not self._ending.is_set():
            process = self._process
            assert process is not None
            process.join()
            if self._ending.wait(RESTART_SECONDS):
                return
            log.error("processor died and is started again", extra={"exit": process.exitcode})
            reason = self._begin()
            if reason is not None:
                log.error("processor does not start", extra={"reason": reason})


def run_processor(told: Connection) -> None:
    """Be the process that takes events, until SIGTERM."""
    _become_child()
    try:
        processor = wire.processor(configuration.load())
        signal.signal(signal.SIGTERM, lambda *_: processor.stop())
        told.send(None)
        told.close()
        processor.run()
    except DarkroomError as error:
        told.send(error.detail)
    except Exception:
        log.exception("processor failed")
        os._exit(1)
    # A thread that is still at work must hold nothing up: its event was handed back.
    os._exit(0)


def http_worker() -> ASGIApp:
    """Return what an HTTP worker serves, as its environment says: called in each, once."""
    _become_child()
    try:
        return wire.http_app()
    except Exception:
        log.exception("HTTP worker does not start")
        sys.exit(1)


def _become_child() -> None:
    """Be out of reach of the terminal, and end when the process that started this one is gone, however it ended."""
    os.setsid()
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        while os.getppid() == parent.pid:
            time.sleep(ORPHAN_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(WORK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _share_code() -> None:
    """Import what the children need before they are forked, so that its memory is there once."""
    for module in ("darkroom.http.app", "uvloop"):
        import_module(module)
    gc.collect()
    gc.freeze()


def _check_address(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            msg = (
                f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}); "
                "set DARKROOM_PORT, or DARKROOM_HOST, to one that can"
            )
            raise BadConfiguration(msg) from error


def _greet(settings: Settings) -> None:
    lines = [f"Darkroom serves {settings.data.resolve()} at {settings.base_url} (API: {settings.base_url}/docs)"]
    if not settings.keys:
        lines.append("Keys are switched off: anybody on this machine may do everything, nobody else anything.")
    else:
        access = wire.access(settings)
        if not access.list():
            _, text = access.add(LOCAL_OWNER, "first key", frozenset(Scope))
            lines.append(f"First start: this admin key is shown once, keep it: {text}")
    print("\n".join(lines), flush=True)  # noqa: T201  # this is what a person at the terminal waits for
