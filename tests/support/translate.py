"""Prints, as JSON, what CloudFormation makes of a template with `Transform: AWS::Serverless`. Runs in `.venv-infra`."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template names none."""

    def load(self):
        return {}


given = yaml_parse(Path(sys.argv[1]).read_text(encoding="utf-8"))
if "Transform" in given:
    for resource in given["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = f"s3://packages/{resource['Properties']['CodeUri']}"
    given = transform(given, {}, NoManagedPolicies())
json.dump(given, sys.stdout)
