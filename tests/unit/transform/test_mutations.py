"""Spoiled files by the hundred: each is rendered or refused by name, none costs the service anything that stays."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import mutations
import pictures
import processes
from darkroom.transform.jail import Allowance, JailedTransform

SECONDS = 20.0
GROWTH_BYTES = 24 * 1024 * 1024
"""Less than one more worker would take; what ten thousand files leak at two kilobytes each."""


@dataclass(frozen=True)
class Footprint:
    memory: int
    descriptors: int
    children: int


def footprint(pid: int) -> Footprint:
    process = processes.process(pid)
    return Footprint(process.memory, len(list(Path(f"/proc/{pid}/fd").iterdir())), len(process.children()))


def ordeal(first: int, count: int) -> mutations.Tally:
    pool = JailedTransform(2, allowance=Allowance(seconds=SECONDS))
    mutations.run(pool, range(-40, 0))
    here, zygote = os.getpid(), pool.processes()[0]
    before = footprint(here), footprint(zygote)
    tally = mutations.run(pool, range(first, first + count))
    assert pool.processes()[0] == zygote
    after = footprint(here), footprint(zygote)
    with tempfile.TemporaryFile() as original:
        original.write(pictures.jpeg(640, 480))
        original.flush()
        assert pool.render(original, mutations.ORDER).slots
    pool.close()
    for was, became in zip(before, after, strict=True):
        assert became.descriptors <= was.descriptors + 1
        assert became.children <= was.children + 1
        assert became.memory < was.memory + GROWTH_BYTES
    assert sum(tally.outcomes.values()) == count
    assert not tally.wrong, str(tally)
    assert tally.slowest[0] < SECONDS + 5, str(tally)
    return tally


def test_five_hundred_spoiled_files() -> None:
    tally = ordeal(0, 500)
    assert {"rendered", "unreadable-image", "unsupported-format", "too-many-pixels"} <= tally.outcomes.keys()


@pytest.mark.soak
def test_ten_thousand_spoiled_files(capsys: pytest.CaptureFixture[str]) -> None:
    tally = ordeal(100_000, 10_000)
    with capsys.disabled():
        print(f"\n{tally}")  # noqa: T201  # figures are wanted also where all is well


def test_a_seed_is_enough_to_make_a_file_again() -> None:
    assert mutations.mutated(4711) == mutations.mutated(4711)
    assert len({mutations.mutated(seed).content for seed in range(50)}) > 45
