"""The jailed pool with a decoder that a stranger has taken over: nothing gets out, and nobody else notices."""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from PIL import Image

import hostile
import pictures
import poor_house
from darkroom.errors import BadConfiguration, RenderFailed, Unavailable, UnreadableImage
from darkroom.model import Format
from darkroom.transform import Order
from darkroom.transform.jail import Allowance, JailedTransform
from darkroom.transform.recipes import Recipe
from darkroom.transform.sandbox import LAYERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.transform import Rendered

    Pools = Callable[..., JailedTransform]

SMALL = Recipe(name="small", width=320, height=320, quality={Format.JPEG: 80, Format.AVIF: 60})
ORDER = Order(recipes=(SMALL,), focus=(0.25, 0.5))
MEBIBYTE = 1024 * 1024


def picture(attempt: str, **arguments: object) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the caller's to close, as an original is
    file.write(json.dumps({"attempt": attempt, **arguments}).encode())
    file.seek(0)
    return file


def ask(pool: JailedTransform, attempt: str, **arguments: object) -> Rendered:
    with picture(attempt, **arguments) as original:
        return pool.render(original, ORDER)


def outcome(pool: JailedTransform, attempt: str, **arguments: object) -> str:
    with pytest.raises(UnreadableImage) as refusal:
        ask(pool, attempt, **arguments)
    return refusal.value.detail


def works(pool: JailedTransform) -> bool:
    return len(ask(pool, "paint").slots) == 2


def jail(workers: int = 1, **allowance: Any) -> JailedTransform:
    usual: dict[str, Any] = {"seconds": 20.0, "cpu_seconds": 20, "memory_bytes": 512 * MEBIBYTE, "images": 200}
    return JailedTransform(workers, allowance=Allowance(**{**usual, **allowance}), render="hostile:render")


@pytest.fixture(scope="module")
def pool() -> Iterator[JailedTransform]:
    pool = jail()
    yield pool
    pool.close()


@pytest.fixture
def own_pool() -> Iterator[Pools]:
    """Make pools that are closed when the test ends."""
    made: list[JailedTransform] = []

    def make(workers: int = 1, **allowance: Any) -> JailedTransform:
        made.append(jail(workers, **allowance))
        return made[-1]

    yield make
    for each in made:
        each.close()


def gone(process: int) -> bool:
    """Wait until a process is no more, or only its entry in the table is."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


# What there is to get at, from inside.


@pytest.mark.parametrize(
    "path", ["/proc/{parent}/environ", "/proc/self/environ", "{folder}/catalog.sqlite", "/etc/passwd"]
)
def test_no_file_can_be_read(pool: JailedTransform, tmp_path: Path, path: str) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"secret")
    assert outcome(pool, "read_file", path=path.format(parent=os.getpid(), folder=tmp_path)).startswith("denied")


def test_no_file_can_be_seen_changed_or_made(pool: JailedTransform, tmp_path: Path) -> None:
    other = tmp_path / "other.jpg"
    other.write_bytes(b"another picture")
    assert outcome(pool, "look_at_file", path=str(other)).startswith("denied")
    assert outcome(pool, "list_folder", path=str(tmp_path)).startswith("denied")
    assert outcome(pool, "remove_file", path=str(other)).startswith("denied")
    assert outcome(pool, "write_file", path=str(other)).startswith("denied")
    assert outcome(pool, "write_file", path=str(tmp_path / "new")).startswith("denied")
    assert [each.name for each in tmp_path.iterdir()] == ["other.jpg"]
    assert other.read_bytes() == b"another picture"


def test_the_original_cannot_be_changed_even_when_it_is_open_for_writing(pool: JailedTransform) -> None:
    with picture("write_original") as original:
        before = original.read()
        with pytest.raises(UnreadableImage, match="denied: EBADF"):
            pool.render(original, ORDER)
        original.seek(0)
        assert original.read() == before


def test_nobody_can_be_talked_to(pool: JailedTransform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        name = f"darkroom-jail-{os.getpid()}-{time.monotonic_ns()}"
        local.bind("\0" + name)
        local.listen()
        port = server.getsockname()[1]
        assert outcome(pool, "connect", port=port).startswith("denied")
        assert outcome(pool, "send_datagram", port=port).startswith("denied")
        assert outcome(pool, "connect_local", name=name).startswith("denied")
        assert outcome(pool, "listen").startswith("denied")


@pytest.mark.parametrize("attempt", ["signal_process", "trace", "change_limits_of"])
def test_the_parent_cannot_be_touched(pool: JailedTransform, attempt: str) -> None:
    assert outcome(pool, attempt, process=os.getpid()).startswith("denied")


def test_the_memory_of_the_parent_cannot_be_read(pool: JailedTransform) -> None:
    kept = bytearray(b"a secret that the service holds")
    where = ctypes.addressof((ctypes.c_char * len(kept)).from_buffer(kept))
    assert outcome(pool, "read_memory_of", process=os.getpid(), address=where).startswith("denied")


@pytest.mark.parametrize("attempt", ["execute", "fork_bomb", "change_namespaces", "run_written_code"])
def test_no_program_can_be_started_and_no_code_be_brought(pool: JailedTransform, attempt: str) -> None:
    assert outcome(pool, attempt).startswith("denied")


def test_nothing_can_be_mounted(pool: JailedTransform, tmp_path: Path) -> None:
    assert outcome(pool, "mount", path=str(tmp_path)).startswith("denied")


def test_a_worker_knows_nothing_of_the_service(own_pool: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_TEST_SECRET", "x")
    with Path(__file__).open("rb") as kept_open:
        os.set_inheritable(kept_open.fileno(), True)  # noqa: FBT003  # the library's signature
        pool = own_pool()
        known = json.loads(outcome(pool, "describe"))
    assert set(known["environment"]) <= {"LC_CTYPE", "GLIBC_TUNABLES", "PYTHONPATH", "VIPS_DISC_THRESHOLD"}
    assert known["descriptors"] == [0, 1, 2, 3, 4]  # nothing three times, the socket, the original


def test_a_service_with_many_open_files_gives_none_of_them_away(own_pool: Pools) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 2_000), before[1]))
    with contextlib.ExitStack() as opened:
        for _ in range(1_100):
            opened.enter_context(Path(__file__).open("rb"))
        pool = own_pool()
        known = json.loads(outcome(pool, "describe"))
        assert works(pool)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert known["descriptors"] == [0, 1, 2, 3, 4]


def test_a_worker_has_no_rights(pool: JailedTransform) -> None:
    process = json.loads(outcome(pool, "describe"))["process"]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    assert "0" not in status["Uid"].split()
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert os.getsid(process) == process


def test_threads_can_be_used(pool: JailedTransform) -> None:
    assert outcome(pool, "use_threads") == "4 threads ran"


# What the caller gets.


def test_the_order_arrives_and_the_answer_comes_back_whole(pool: JailedTransform) -> None:
    with picture("paint", body_bytes=3 * MEBIBYTE) as original:
        content = original.read()  # the position does not matter: rendering begins at the beginning
        rendered = pool.render(original, ORDER)
    assert rendered.facts.source.sha256 == hashlib.sha256(content).hexdigest()
    assert [(slot.variant, slot.extension, slot.format) for slot in rendered.slots] == [
        ("small", "avif", Format.AVIF),
        ("small", "jpg", Format.JPEG),
    ]
    assert [slot.body for slot in rendered.slots] == [
        hostile.BODIES[form] + bytes(3 * MEBIBYTE) for form in (Format.AVIF, Format.JPEG)
    ]
    assert json.loads(outcome(pool, "describe"))["focus"] == [0.25, 0.5]


def test_many_recipes_fit_into_an_order(pool: JailedTransform) -> None:
    recipes = tuple(
        Recipe(name=f"{number}-{'x' * 36}", width=9, height=9, quality={Format.JPEG: 80}) for number in range(3_000)
    )
    with picture("paint") as original:
        rendered = pool.render(original, Order(recipes=recipes))
    assert len(rendered.slots) == 6_000


def test_callers_wait_for_a_worker_and_each_gets_its_own_answer(own_pool: Pools) -> None:
    pool = own_pool(2)

    def render(number: int) -> tuple[bytes, Rendered]:
        with picture("paint", seconds=0.01, body_bytes=number) as original:
            content = original.read()
            return content, pool.render(original, ORDER)

    with ThreadPoolExecutor(6) as callers:
        for number, (content, rendered) in enumerate(callers.map(render, range(30))):
            assert rendered.facts.source.sha256 == hashlib.sha256(content).hexdigest()
            assert len(rendered.slots[1].body) == len(hostile.BODIES[Format.JPEG]) + number


# Nuisances.


@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        ("crash", "crashed: Segmentation fault"),
        ("abort", "crashed: Aborted"),
        ("leave", "ended before it had answered"),
        ("fill_memory", "more memory than is allowed"),
        ("stumble", "KeyError"),
    ],
)
def test_a_worker_that_breaks_fails_its_own_image_only(pool: JailedTransform, attempt: str, reason: str) -> None:
    with pytest.raises(RenderFailed, match=reason):
        ask(pool, attempt)
    assert works(pool)


def test_a_picture_that_is_too_large_for_the_memory_is_not_called_damaged() -> None:
    large = pictures.encode(Image.new("RGB", (5_000, 5_000)), "JPEG", progressive=True, subsampling=0)
    pool = JailedTransform(1, allowance=Allowance(memory_bytes=128 * MEBIBYTE))
    with contextlib.closing(pool), tempfile.TemporaryFile() as original:
        original.write(large)
        original.flush()
        with pytest.raises(RenderFailed, match="more memory than is allowed"):
            pool.render(original, ORDER)
        original.truncate(len(pictures.jpeg()) // 2)
        original.seek(0)
        original.write(pictures.jpeg()[: len(pictures.jpeg()) // 2])
        original.flush()
        with pytest.raises(UnreadableImage):
            pool.render(original, ORDER)


def test_a_worker_killed_from_outside_fails_its_own_image_only(own_pool: Pools) -> None:
    pool = own_pool()
    process = json.loads(outcome(pool, "describe"))["process"]
    killer = threading.Timer(0.3, os.kill, (process, signal.SIGKILL))
    killer.start()
    with pytest.raises(RenderFailed, match="want of memory"):
        ask(pool, "hang")
    killer.join()
    assert works(pool)


def test_a_worker_that_hangs_is_killed(own_pool: Pools) -> None:
    pool = own_pool(seconds=0.5)
    process = json.loads(outcome(pool, "describe"))["process"]
    began = time.monotonic()
    with pytest.raises(RenderFailed, match=r"longer than 0\.5 seconds"):
        ask(pool, "hang")
    assert time.monotonic() - began < 5
    assert gone(process)
    assert works(pool)


def test_a_worker_that_takes_too_much_processor_time_is_killed(own_pool: Pools) -> None:
    pool = own_pool(cpu_seconds=1)
    with pytest.raises(RenderFailed, match="processor time"):
        ask(pool, "spin")
    assert works(pool)


def test_what_others_do_goes_on_while_a_worker_breaks(own_pool: Pools) -> None:
    pool = own_pool(2)
    with ThreadPoolExecutor(2) as callers:
        long = callers.submit(ask, pool, "paint", seconds=1.0)
        for _ in range(3):
            with pytest.raises(RenderFailed):
                ask(pool, "crash")
        assert not long.done()
        assert len(long.result().slots) == 2


def test_threads_without_end_fail_their_own_image_only(pool: JailedTransform) -> None:
    with pytest.raises(RenderFailed):
        ask(pool, "many_threads", count=50_000)
    assert works(pool)


def test_threads_that_one_worker_takes_are_not_missing_to_others(own_pool: Pools) -> None:
    pool = own_pool(2)
    with ThreadPoolExecutor(1) as caller:
        hoarder = caller.submit(outcome, pool, "hoard_threads", seconds=2.0)
        time.sleep(1.0)
        assert outcome(pool, "use_threads") == "4 threads ran"
        assert hoarder.result() == "escaped", "it has done so meanwhile"


def test_a_worker_killed_while_idle_is_not_noticed(own_pool: Pools) -> None:
    pool = own_pool()
    process = json.loads(outcome(pool, "describe"))["process"]
    os.kill(process, signal.SIGKILL)
    assert gone(process)
    assert works(pool)


def encoded(*parts: bytes) -> list[str]:
    return [base64.b64encode(part).decode() for part in parts]


@pytest.mark.parametrize(
    "parts",
    [
        (b"\xff\xff\xff\xff",),
        (b"\x00\x00\x00\x07garbage",),
        (b"\x00\x00\x00\x02{}",),
        (b"\x00\x00\x00\x02[]",),
        (b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00\x8c\x02os",),  # a pickle
    ],
)
def test_a_senseless_answer_fails_its_own_image_only(own_pool: Pools, parts: tuple[bytes, ...]) -> None:
    pool = own_pool(seconds=2.0)
    with pytest.raises(RenderFailed):
        ask(pool, "answer", parts=encoded(*parts))
    assert works(pool)


def test_an_answer_that_is_too_long_fails_its_own_image_only(own_pool: Pools) -> None:
    pool = own_pool(answer_bytes=MEBIBYTE)
    with pytest.raises(RenderFailed, match="an answer that none should"):
        ask(pool, "paint", body_bytes=MEBIBYTE)
    assert works(pool)


def test_a_worker_that_speaks_unasked_is_replaced(own_pool: Pools) -> None:
    pool = own_pool()
    process = json.loads(outcome(pool, "describe"))["process"]
    assert outcome(pool, "answer_ahead") == "the first"
    time.sleep(0.2)
    assert works(pool)
    assert gone(process)


# The life of the pool.


def test_a_worker_is_replaced_after_so_many_images(own_pool: Pools) -> None:
    pool = own_pool(images=2)
    processes = [json.loads(outcome(pool, "describe"))["process"] for _ in range(5)]
    assert processes[0] == processes[1] != processes[2] == processes[3] != processes[4]
    assert gone(processes[0])


def test_a_worker_that_has_used_its_processor_time_is_replaced_before_it_runs_over(own_pool: Pools) -> None:
    pool = own_pool(cpu_seconds=1)
    first = json.loads(outcome(pool, "describe"))["process"]
    assert outcome(pool, "spin_for", seconds=1.1) == "escaped"
    assert json.loads(outcome(pool, "describe"))["process"] != first
    assert outcome(pool, "spin_for", seconds=1.1) == "escaped"


def test_rendering_goes_on_when_the_zygote_is_killed(own_pool: Pools) -> None:
    pool = own_pool(2)
    assert works(pool)
    zygote, *workers = pool.processes()
    os.kill(zygote, signal.SIGKILL)
    assert all(gone(worker) for worker in workers)
    assert works(pool)
    assert pool.processes()[0] != zygote


def test_nothing_is_left_after_close(own_pool: Pools) -> None:
    pool = own_pool(2)
    processes = pool.processes()
    assert len(processes) == 3
    pool.close()
    pool.close()
    assert all(gone(process) for process in processes)
    with pytest.raises(Unavailable, match="stopping"):
        works(pool)


def test_close_lets_nobody_wait_for_ever(own_pool: Pools) -> None:
    pool = own_pool()
    with ThreadPoolExecutor(2) as callers:
        waiting = [callers.submit(ask, pool, "hang") for _ in range(2)]
        time.sleep(0.2)
        pool.close()
        for each in waiting:
            error = each.exception(timeout=10)
            assert isinstance(error, Unavailable)
            assert not isinstance(error, RenderFailed), "the picture is not to blame"


def test_nothing_is_left_after_the_service_is_killed() -> None:
    source = f"""
import sys, threading, time
sys.path[:0] = {[str(Path(hostile.__file__).parent), str(Path(__file__).parent)]!r}
from test_jail import ask, jail
pool = jail(2)
print(*pool.processes(), flush=True)
threading.Thread(target=ask, args=(pool, "spin"), daemon=True).start()
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        processes = [int(each) for each in service.stdout.readline().split()]
        time.sleep(0.2)
        service.kill()
    assert len(processes) == 3
    assert all(gone(process) for process in processes)


def test_the_layers_are_told(pool: JailedTransform) -> None:
    assert set(pool.active_layers()) <= set(LAYERS)
    assert {"rlimits", "no-new-privileges"} <= set(pool.active_layers())


def test_it_starts_with_the_layers_that_are_there(pool: JailedTransform) -> None:
    required = frozenset(pool.active_layers())
    JailedTransform(1, required=required, render="hostile:render").close()


def test_it_does_not_start_with_fewer_layers_than_required(pool: JailedTransform) -> None:
    if "landlock" not in pool.active_layers():
        pytest.skip("the layer that this test takes away is not there")
    source = f"""
import sys
sys.path[:0] = {[str(Path(hostile.__file__).parent)]!r}
import hostile
import pictures
from darkroom.errors import BadConfiguration
from darkroom.transform.jail import JailedTransform
for _ in range(16):  # as many rulesets as the kernel lets one lie on another
    hostile.add_landlock_ruleset()
pool = JailedTransform(1, render="hostile:render")
print(*pool.active_layers())
pool.close()
try:
    JailedTransform(1, required=frozenset({{"landlock", "rlimits"}}), render="hostile:render")
except BadConfiguration as error:
    print(error)
"""
    finished = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    layers, refusal = finished.stdout.splitlines()
    assert "landlock" not in layers.split()
    assert "seccomp" in layers.split()
    assert "landlock" in refusal
    assert "rlimits" not in refusal


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take /proc away")
@pytest.mark.parametrize("options", [[], ["--without-proc"]], ids=["with /proc", "without /proc"])
def test_where_nearly_nothing_is_to_be_had_it_works_and_the_service_keeps_its_secrets(options: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, poor_house.__file__, *options],
        env={"PYTHONPATH": os.pathsep.join([str(Path(poor_house.__file__).parent), *sys.path]), "TOKEN": "secret"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["layers"] == ["rlimits", "no-new-privileges"]
    assert told["slots"] == 6
    for named in ("environment of the service", "memory of the service", "tracing the service", "tracing the zygote"):
        assert told[named].startswith("denied"), named
    assert told["writing"] == "denied: EFBIG"
    assert told["writing the original"] in {"denied: EBADF", "denied: EFBIG"}
    assert "TOKEN" not in told["its own environment"]


def test_a_layer_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="moat"):
        JailedTransform(1, required=frozenset({"moat"}), render="hostile:render")


def test_a_decoder_that_cannot_be_loaded_stops_the_start(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadConfiguration, match="do not start"):
        JailedTransform(1, render="no_such_decoder:render")
    assert "no_such_decoder" in capfd.readouterr().err


def test_a_file_that_is_none_is_the_callers_mistake(pool: JailedTransform) -> None:
    with pytest.raises(io.UnsupportedOperation):
        pool.render(io.BytesIO(b""), ORDER)
    assert works(pool)
