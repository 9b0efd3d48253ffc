"""``darkroom serve``: one command that starts everything, watches it, and stops it in order.

This process answers nothing itself. It forks the HTTP workers (granian's) and the processor, which share its imported
code, and restarts what dies.
"""

from __future__ import annotations

import gc
import logging
import logging.config
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
from granian.server import Server

from darkroom import settings as configuration
from darkroom.access import LOCAL_OWNER, Scope
from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.embedded.logs import log_configuration
from darkroom.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

    from darkroom.settings import Settings

log = logging.getLogger("darkroom.serve")

STOP_SECONDS = 9
HEADER_SECONDS = 15
HEADER_BYTES = 64 * 1024
RESTART_SECONDS = 1.0
MISCONFIGURED = 78
"""Exit status of a child that cannot run as it is set up (``EX_CONFIG`` of sysexits.h): starting it again is no use."""


def serve(settings: Settings) -> int:
    """Run the service until it is told to stop; return the exit status.

    Raises ``BadConfiguration`` when it cannot start as it is set up.
    """
    logging.config.dictConfig(log_configuration(settings.log_level))
    _check_address(settings)
    layout = Layout(settings.data)
    layout.prepare()
    lock = layout.lock()
    configuration.hand_over(settings)
    wire.prepare(settings)
    _greet(settings)
    _share_code()
    processor = Supervised(run_processor)
    processor.start()
    server = Server(
        "darkroom.embedded.wire:http_app",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        websockets=False,
        respawn_failed_workers=True,
        respawn_interval=RESTART_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=HEADER_BYTES),
        log_level=LogLevels.warning,
        log_dictconfig=log_configuration(settings.log_level),
    )
    try:
        server.serve()
    finally:
        processor.stop()
        os.close(lock)
    return 1 if processor.misconfigured else 0


class Supervised:
    """A child process that is started again when it dies before it is stopped.

    When it cannot run as it is set up, this whole process is told to stop.
    """

    def __init__(self, target: Callable[[], None]) -> None:
        self.misconfigured = False
        self._target = target
        self._stopping = threading.Event()
        self._process: BaseProcess | None = None

    def start(self) -> None:
        """Start the child, and a thread that watches it."""
        self._spawn()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Tell the child to finish, wait, and end it when it does not."""
        self._stopping.set()
        process = self._process
        if process is None:
            return
        process.terminate()
        process.join(STOP_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()

    def _spawn(self) -> None:
        self._process = multiprocessing.get_context("fork").Process(target=self._target)
        self._process.start()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            process = self._process
            assert process is not None
            process.join()
            if process.exitcode == MISCONFIGURED:
                self.misconfigured = True
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if self._stopping.wait(RESTART_SECONDS):
                return
            log.error("processor died and is started again", extra={"exit": process.exitcode})
            self._spawn()


def run_processor() -> None:
    """Be the process that takes events: until SIGTERM, or until the parent is gone."""
    settings = configuration.load()
    try:
        processor = wire.processor(settings)
    except BadConfiguration as error:
        print(f"darkroom: {error.detail}", file=sys.stderr, flush=True)  # noqa: T201  # as the command line says it
        sys.exit(MISCONFIGURED)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, lambda *_: processor.stop())
    threading.Thread(target=_stop_with, args=(os.getppid(), processor.stop), daemon=True).start()
    processor.run()
    sys.exit(0)


def _stop_with(parent: int, stop: Callable[[], None]) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    stop()


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
            msg = f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}); set DARKROOM_PORT"
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
