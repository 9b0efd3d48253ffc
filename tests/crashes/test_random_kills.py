"""The whole service is killed at random moments while people are at work on it: nothing promised is lost, or left over.

The seed is printed; ``TESTS_SEED`` repeats one: the same people with the same wishes, cut off after the same times.
What the machine does in between is its own.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import pytest

from darkroom.model import OriginalPolicy
from ordeal import Ordeal, say

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_LIFE = 1.5


@pytest.mark.parametrize("kills", [7, pytest.param(170, marks=pytest.mark.soak)])
@pytest.mark.parametrize("policy", list(OriginalPolicy))
def test_nothing_promised_is_lost_and_nothing_is_left_over(tmp_path: Path, policy: OriginalPolicy, kills: int) -> None:
    seed = os.environ.get("TESTS_SEED") or secrets.token_hex(4)
    say(f"TESTS_SEED={seed}")
    ordeal = Ordeal(tmp_path, policy=policy, seed=seed)
    try:
        while ordeal.kills < kills:
            ordeal.live(ordeal.chance.uniform(0.05, LONGEST_LIFE))
            ordeal.die()
    finally:
        faults = ordeal.end()
    say(ordeal.summary())
    assert faults == []
    assert ordeal.load.tally["taken"] > kills, "hardly anything was uploaded"
    assert '"trace"' not in ordeal.machine.said()
