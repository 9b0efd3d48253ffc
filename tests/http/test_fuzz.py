"""A fuzzer that reads ``/openapi.json`` and tries everything it allows, and what it does not.

No answer is a server error; every answer is one that is described, with its type and shape; what does not fit the
description is refused; without a key nothing is answered. ``schemathesis.toml`` beside this says what it cannot know.
"""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from servers import clean_environment, serving

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SEED = "20260601"


def fuzz(served, folder, *, examples, seed=SEED, seconds=None):
    """Let the fuzzer loose; fail with what it says when it has found something."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)]
    command += ["run", f"{served.url}/openapi.json", "--no-color", "--seed", seed, "--continue-on-failure"]
    command += ["--checks", "all", "--max-examples", str(examples), "--generation-database", "none"]
    command += ["--request-timeout", "30", "--no-shrink"]
    if seconds is not None:
        command += ["--max-time", str(seconds)]
    if served.key is not None:
        command += ["--header", f"Authorization: Bearer {served.key}"]
    environment = clean_environment() | {"PYTHONPATH": str(CONFIGURATION.parents[1] / "support")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 or "Tested: " not in done.stdout:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def is_well(served):
    assert '"level": "error"' not in served.said.read_text()
    headers = {} if served.key is None else {"authorization": f"Bearer {served.key}"}
    assert httpx.get(f"{served.url}/v1/limits", headers=headers, trust_env=False).status_code == 200


@pytest.mark.parametrize("keys", [False, True], ids=["without-keys", "with-keys"])
def test_nothing_that_is_sent_is_answered_otherwise_than_described(tmp_path, keys):
    with serving(tmp_path, keys=keys, workers="2", originals="keep") as served:
        fuzz(served, tmp_path, examples=8)
        is_well(served)


@pytest.mark.soak
@pytest.mark.parametrize("seed", ["1", "2", "3"])
@pytest.mark.parametrize("originals", ["keep", "delete"])
def test_nor_when_it_goes_on_for_long(tmp_path, seed, originals):
    with serving(tmp_path, keys=True, workers="2", originals=originals) as served:
        fuzz(served, tmp_path, examples=400, seed=seed, seconds=240)
        is_well(served)
