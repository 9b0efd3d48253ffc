"""Every action of every policy exists, and is one that its resource has: parliament knows what IAM knows."""

import json
import re
import subprocess
from pathlib import Path

import pytest

import contract
from contract import as_list, policies_of, statements
from stacks import EVERYTHING, TOOLS, of_type, resolved

ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:eu-west-1:123456789012:table/{}",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::SQS::Queue": "arn:aws:sqs:eu-west-1:123456789012:{}",
    "AWS::Lambda::Function": "arn:aws:lambda:eu-west-1:123456789012:function:{}",
    "AWS::CloudFront::KeyValueStore": "arn:aws:cloudfront::123456789012:key-value-store/{}",
    "AWS::Logs::LogGroup": "arn:aws:logs:eu-west-1:123456789012:log-group:{}:*",
}
VALUES = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}


def arn(resource, resources):
    """An ARN such as a resource of a policy comes to."""

    def value(found):
        name, _, attribute = found[1].partition(".")
        if attribute == "Arn":
            return ARNS[resources[name]["Type"]].format(name.lower())
        return VALUES.get(found[1], name.replace(":", "").lower())

    if isinstance(resource, str):
        return resource
    if "Fn::GetAtt" in resource:
        return ARNS[resources[resource["Fn::GetAtt"][0]]["Type"]].format(resource["Fn::GetAtt"][0].lower())
    return re.sub(r"\$\{([\w.:]+)\}", value, resource["Fn::Sub"])


def documents(resources):
    for role in of_type(resources, "AWS::IAM::Role"):
        for name, document in policies_of(resources, role).items():
            filled = [
                each | {"Resource": [arn(one, resources) for one in as_list(each["Resource"])]}
                for each in statements(document)
            ]
            yield f"{role} {name}", document | {"Statement": filled}


def audited(policies):
    script = Path(contract.__file__).with_name("audit_policies.py")
    ran = subprocess.run(
        [TOOLS / "python", script], input=json.dumps(policies), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return {name: findings for name, findings in json.loads(ran.stdout).items() if findings}


def test_actions_and_resources_of_all_policies_fit():
    policies = dict(documents(resolved(EVERYTHING)))
    assert len(policies) > 30
    assert audited(policies) == {}


@pytest.mark.parametrize(
    ("action", "resource", "finding"),
    [
        ("s3:GetObjet", "arn:aws:s3:::uploads/originals/*", "UNKNOWN_ACTION"),
        ("s3:GetObject", "arn:aws:s3:::uploads", "RESOURCE_MISMATCH"),
        ("s3:ListBucket", "arn:aws:s3:::uploads/*", "RESOURCE_MISMATCH"),
    ],
)
def test_what_does_not_fit_is_found(action, resource, finding):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    ((found,),) = audited({"one": {"Version": "2012-10-17", "Statement": statement}}).values()
    assert found.startswith(finding)
