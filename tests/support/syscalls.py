"""The system calls of a running process, in their order, by strace(1)."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACED = "fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,pwrite64,write,writev,sendto,sendmsg"

_WHOLE = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<said>.*)\) += (?P<result>-?\d+)")
_BEGUN = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<said>.*) <unfinished \.\.\.>")
_ENDED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<said>.*)\) += (?P<result>-?\d+)")


@dataclass
class Call:
    """One call that succeeded. ``began`` and ``ended`` are places in the order of everything seen."""

    name: str
    said: str
    began: int
    ended: int


@dataclass
class Trace:
    """What was seen, once the ``with`` is over."""

    calls: list[Call] = field(default_factory=list)

    def where(self, name: str, *words: str, after: int = -1) -> Call:
        """Return the first call whose name matches, that says all the words, and began after that place."""
        for call in self.calls:
            if re.fullmatch(name, call.name) and call.began > after and all(word in call.said for word in words):
                return call
        heard = "\n".join(f"{call.began}: {call.name}({call.said[:150]})" for call in self.calls)
        msg = f"no {name} with {words} after {after} in:\n{heard}"
        raise AssertionError(msg)


@contextmanager
def traced(pid: int, folder: Path) -> Iterator[Trace]:
    """Follow a process and all its threads and children until the end of the ``with``; skip where that cannot be."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    written = folder / "trace"
    said = folder / "strace.log"
    with said.open("wb") as errors:
        process = subprocess.Popen(
            [strace, "-f", "-y", "-s", "200", "-e", f"trace={TRACED}", "-o", str(written), "-p", str(pid)],
            stdin=subprocess.DEVNULL,
            stderr=errors,
        )
    trace = Trace()
    try:
        eventually(lambda: "attached" in said.read_text() or process.poll() is not None, what="strace attaching")
        if process.poll() is not None:
            pytest.skip(f"processes may not be traced here: {said.read_text().strip()}")
        yield trace
        time.sleep(0.2)  # what is written down lags behind
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
    trace.calls = _calls(written.read_text(errors="replace").splitlines())


def _calls(lines: list[str]) -> list[Call]:
    calls = []
    begun: dict[str, Call] = {}
    for place, line in enumerate(lines):
        if found := _WHOLE.match(line):
            calls.append(Call(found["name"], found["said"], place, place))
        elif found := _BEGUN.match(line):
            begun[found["thread"]] = Call(found["name"], found["said"], place, place)
            continue
        elif (found := _ENDED.match(line)) and (call := begun.pop(found["thread"], None)):
            call.said += found["said"]
            call.ended = place
            calls.append(call)
        if found and int(found["result"]) < 0:
            calls.pop()
    # A call that has not come back by the end, such as the write of an answer, has begun all the same.
    return sorted([*calls, *begun.values()], key=lambda call: call.began)
