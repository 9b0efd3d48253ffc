"""A process is killed at every named step of every flow; the next start ends what it began, with one right result."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import studio
from darkroom.model import OriginalPolicy
from darkroom.steps import Step
from mixedload import Memory
from ordeal import Ordeal
from servers import clean_environment
from step_killer import FLOWS

KILLER = Path(__file__).parents[1] / "support" / "step_killer.py"


@pytest.mark.parametrize("policy", list(OriginalPolicy))
def test_whatever_step_a_process_dies_at_the_next_start_ends_the_work(tmp_path: Path, policy: OriginalPolicy) -> None:
    ordeal = Ordeal(tmp_path, policy=policy, seed="steps", people=0)
    killed = subprocess.run(
        [sys.executable, str(KILLER)],
        capture_output=True,
        text=True,
        env=clean_environment(data=str(ordeal.machine.data), **ordeal.machine.settings),
        check=False,
        timeout=300,
    )
    assert killed.returncode == 0, killed.stderr
    promises = [json.loads(line) for line in killed.stdout.splitlines()]
    assert {promised["step"] for promised in promises} >= {step for steps in FLOWS.values() for step in steps} - {
        "original-archived"
    }
    for promised in promises:
        ordeal.load.remember(remembered(promised))
    ordeal.work_off()
    ordeal.machine.start()
    with httpx.Client(base_url=ordeal.machine.url, trust_env=False, timeout=30) as client:
        for memory in ordeal.load.all():
            if memory.key is not None:
                repeat(client, memory)
    ordeal.machine.stop()
    assert ordeal.end() == []


def remembered(promised: dict[str, Any]) -> Memory:
    sample = next(sample for sample in studio.SAMPLES if sample.name == promised["sample"])
    memory = Memory(promised["filename"], sample, promised["key"], id=promised["id"], taken=promised["taken"])
    memory.renditions = promised["renditions"]
    memory.doubtful = promised["step"] == Step.REPROCESS_WRITTEN
    if promised["removal"] == "asked" and promised["step"] != Step.ERASURE_PROMISED:
        memory.removal = "promised"
    if promised["focus"] is not None:
        focus = tuple(promised["focus"])
        memory.foci = {focus}
        memory.foci_ever.add(focus)
    return memory


def repeat(client: httpx.Client, memory: Memory) -> None:
    """Upload again what got no answer."""
    answer = client.post(
        "/v1/images",
        files={"file": (memory.filename, memory.sample.body)},
        headers={"idempotency-key": memory.key or ""},
    )
    assert answer.status_code in {201, 202}, answer.text
    memory.id, memory.taken = answer.json()["id"], True
