"""Runs where ssimulacra2 is installed: JSON pairs of files on standard input, a score for each on standard output."""

from __future__ import annotations

import json
import sys

from ssimulacra2 import compute_ssimulacra2

for line in sys.stdin:
    reference, made = json.loads(line)
    print(float(compute_ssimulacra2(reference, made)), flush=True)
