"""`darkroom aws`, as an operator uses it, against the emulator."""

import os
import re
import subprocess
import sys
from contextlib import closing

import pytest

from darkroom.access.dynamodb import DynamoSecrets
from darkroom.service import utc_now
from emulator import emulating


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """An emulator of its own: what is deployed has fixed names here. CloudFront's key value store takes the shim."""
    with emulating(tmp_path_factory.mktemp("cloud"), shim=True) as running:
        yield running


@pytest.fixture(scope="module")
def darkroom(cloud):
    def run(*arguments, said="", **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DARKROOM_"))}
        return subprocess.run(
            [sys.executable, "-m", "darkroom", "aws", *arguments],
            env=kept | cloud.environment() | environment,
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def deploy(darkroom, packages, cloud):
    def run(*arguments, **more):
        # The emulator has no TLS, and its own name for the API is none that a url can have.
        given = "--set", "RequireTls=false", "--set", f"PublicUrl={cloud.url}"
        return darkroom("deploy", "--packages", packages, *given, *arguments, **more)

    return run


def test_without_packages_or_with_a_parameter_that_is_none_it_says_what_to_do(darkroom, deploy, tmp_path):
    ran = darkroom("deploy", "--packages", tmp_path, "--yes")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "make package" in ran.stderr
    ran = deploy("--set", "Colour=red", "--yes")
    assert ran.returncode == 1
    assert "no parameter Colour; it has" in ran.stderr
    ran = deploy("--set", "Colour", "--yes")
    assert ran.returncode == 2
    assert "no NAME=VALUE" in ran.stderr


def test_a_stage_that_is_not_there_is_said(darkroom):
    for command in ("status", "destroy"):
        ran = darkroom(command, "--stage", "nowhere")
        assert (ran.returncode, ran.stderr) == (1, "darkroom: there is no stack darkroom-nowhere\n")


def test_without_credentials_it_says_so(deploy):
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nonexistent"}
    ran = deploy(**nothing | {"AWS_EC2_METADATA_DISABLED": "true"})
    assert ran.returncode == 1
    assert "credentials" in ran.stderr
    assert "Traceback" not in ran.stderr


def owners_who_can_sign(cloud):
    cloudformation, dynamodb = cloud.client("cloudformation"), cloud.client("dynamodb")
    (stack,) = cloudformation.describe_stacks(StackName="darkroom-dev")["Stacks"]
    table = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}["SecretsTableName"]
    cloudformation.close()
    with closing(DynamoSecrets(dynamodb, table, utc_now)) as secrets:
        owners = {each.owner for each in secrets.list()}
    dynamodb.close()
    return owners


def test_a_stage_is_made_shown_changed_and_taken_down(darkroom, deploy, cloud):
    ran = deploy(said="n\n")
    assert ran.returncode == 1
    # The emulator's plan has the function of IIIF too, which a condition leaves out; CloudFormation's has not.
    assert "7 AWS::Lambda::Function to add" in ran.stdout
    assert re.search(r"While nobody uses it, it costs about \d\.\d\d USD a month, \d\.\d\d where", ran.stdout)
    assert "darkroom-dev, CREATE" not in darkroom("status").stdout, "nothing was made when the answer was no"

    ran = deploy("--yes")
    assert ran.returncode == 0, ran.stderr
    rows = ("pages", "api", "pictures")
    shown = dict(line.split(maxsplit=1) for line in ran.stdout.splitlines() if line.startswith(rows))
    assert tuple(shown) == rows
    assert shown["pages"] == f"{shown['api']}/"
    assert f"{shown['api']}/signin" in ran.stdout
    (key,) = re.findall(r"(?m)^dk_\S+$|^\S{30,}$", ran.stdout)

    ran = darkroom("status")
    assert "darkroom-dev, CREATE_COMPLETE" in ran.stdout
    assert "0 events" in ran.stdout
    assert shown["api"] in ran.stdout

    ran = deploy("--set", "ApiRate=50", "--set", "IiifOwners=museum", "--set", "UnsignedSizes=320x0", "--yes")
    assert ran.returncode == 0, ran.stderr
    assert key not in ran.stdout
    assert "first key" not in ran.stdout
    assert owners_who_can_sign(cloud) == {"local", "museum"}

    ran = darkroom("destroy", "--yes")
    assert ran.returncode == 0, ran.stderr
    s3 = cloud.client("s3")
    for kept in ("upload bucket", "assets bucket"):
        name = re.search(rf"{kept}\s+(\S+)", ran.stdout)[1]
        assert s3.head_bucket(Bucket=name)
    s3.close()
    assert darkroom("status").returncode == 1
