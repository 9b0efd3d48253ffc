"""Why a layer of the jail is missing is said of that layer only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import hostile
from darkroom.transform import obstacles, sandbox
from darkroom.transform.jail import JailedTransform
from darkroom.transform.sandbox import LAYERS

NO_MORE_LANDLOCK = """
import json, hostile
from darkroom.transform.obstacles import obstacles
for _ in range(16):
    hostile.add_landlock_ruleset()
print(json.dumps(obstacles()))
"""


def test_the_layers_without_obstacle_are_those_that_hold_the_workers() -> None:
    pool = JailedTransform(1)
    held = set(pool.active_layers())
    pool.close()
    assert held == LAYERS.keys() - obstacles.obstacles().keys()


def test_a_kernel_that_has_no_landlock_left_is_told_of() -> None:
    paths = [str(Path(hostile.__file__).parent), str(Path(sandbox.__file__).parents[2])]
    ran = subprocess.run(
        [sys.executable, "-c", NO_MORE_LANDLOCK],
        env={"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(ran.stdout)
    assert "landlock" in found
    assert found["landlock"]
    assert "seccomp" not in found


def test_trying_changes_nothing_here() -> None:
    obstacles.obstacles()
    assert Path(__file__).read_text()
