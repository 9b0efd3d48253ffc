"""Prints, as JSON, what parliament finds in policies given by name on standard input. Runs in `.venv-infra`."""

import json
import sys
import warnings

warnings.simplefilter("ignore")  # parliament uses what setuptools has given up

from parliament import analyze_policy_string  # noqa: E402 # once warnings are off

found = {}
for name, document in json.load(sys.stdin).items():
    findings = analyze_policy_string(json.dumps(document)).findings
    found[name] = [f"{each.issue}: {each.detail}" for each in findings]
json.dump(found, sys.stdout)
