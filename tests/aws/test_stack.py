"""The template as it is, deployed with permissions enforced: what needs none of the functions."""

import json
import time

import httpx
import pytest

from darkroom.errors import BadConfiguration, NotFound
from deployed import deploying
from truths import CHROME, CURL, ID


@pytest.fixture(scope="module")
def deployed(emulator, packages):
    with deploying(emulator, packages) as stack:
        s3 = stack.stack._clients("s3")
        bucket = stack.outputs["AssetsBucketName"]
        for key, body in {
            f"i/{ID}/medium.avif": b"the avif",
            f"i/{ID}/medium.jpg": b"the jpeg",
            "default/small.jpg": b"the default",
            "hidden/key": b"not for readers",
        }.items():
            s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="image/jpeg", CacheControl="public, max-age=7")
        yield stack


@pytest.mark.parametrize(("accept", "body"), [(CHROME, b"the avif"), (CURL, b"the jpeg"), ("", b"the jpeg")])
def test_the_edge_negotiates_and_says_that_it_did(deployed, accept, body):
    answer = deployed.get(f"/i/{ID}/medium", Accept=accept)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["vary"] == "Accept"


def test_an_exact_path_is_that_picture_with_the_headers_of_the_contract(deployed):
    answer = deployed.get(f"/i/{ID}/medium.jpg", Accept=CHROME)
    assert (answer.status_code, answer.content) == (200, b"the jpeg")
    assert "vary" not in answer.headers
    assert answer.headers["cache-control"] == "public, max-age=7"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize("path", [f"/i/{ID}/small.avif", f"/i/{ID}/unknown", "/i/nonsense"])
def test_what_is_not_there_is_the_default_image_with_404(deployed, path):
    answer = deployed.get(path)
    assert (answer.status_code, answer.content) == (404, b"the default")


def test_nothing_but_pictures_is_delivered(deployed):
    for path in ("/", "/hidden/key", "/default"):
        answer = deployed.get(path)
        assert (answer.status_code, answer.content[:12]) == (404, b"Nothing lies"), path


def test_nobody_reads_the_bucket_past_the_distribution(deployed):
    address = f"{deployed.emulator.url}/{deployed.outputs['AssetsBucketName']}/i/{ID}/medium.jpg"
    assert httpx.get(address, trust_env=False).status_code == 403
    assert deployed.get(f"/i/{ID}/medium.jpg").status_code == 200


def test_a_stack_that_is_as_packaged_is_not_made_again_and_keeps_its_parameters(deployed, packages):
    bucket = deployed.outputs["AssetsBucketName"]
    plan = deployed.stack.plan(packages, {}, bucket)
    assert not plan.creates
    if plan.changes:
        deployed.stack.carry_out(plan)
    client = deployed.stack._clients("cloudformation")
    (stack,) = client.describe_stacks(StackName=deployed.stack.name)["Stacks"]
    assert {"ParameterKey": "RequireTls", "ParameterValue": "false"} in stack["Parameters"]


def test_a_second_stack_can_be_made_beside_it(emulator, deployed, packages):
    with deploying(emulator, packages, Stage="prod", Purge="lapse") as second:
        assert second.outputs["AssetsBucketName"] != deployed.outputs["AssetsBucketName"]
        assert second.get(f"/i/{ID}/medium.jpg").status_code != 200
    with pytest.raises(NotFound, match="there is no stack"):
        second.stack.status()
    # What was stored is kept.
    s3 = deployed.stack._clients("s3")
    kept = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    assert {second.outputs["AssetsBucketName"], second.outputs["UploadBucketName"]} <= kept
    assert deployed.get(f"/i/{ID}/medium.jpg").content == b"the jpeg"


def test_what_is_wrong_is_said_before_anything_is_changed(deployed, packages, tmp_path):
    with pytest.raises(BadConfiguration, match=r"no parameter Stadium; it has .*Stage"):
        deployed.stack.plan(packages, {"Stadium": "dev"}, deployed.outputs["AssetsBucketName"])
    with pytest.raises(BadConfiguration, match="run `make package` first"):
        deployed.stack.plan(tmp_path, {}, deployed.outputs["AssetsBucketName"])


def arrived(deployed):
    """How many messages of the upload bucket the queue has got."""
    sqs = deployed.stack._clients("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=deployed.outputs["TransformQueueUrl"], AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


@pytest.mark.parametrize("missing", [None, "topic policy", "queue policy"])
def test_an_arrival_reaches_the_queue_by_two_permissions_and_by_no_less(emulator, packages, missing):
    with deploying(emulator, packages) as stack:
        clients = stack.stack._clients
        functions = clients("lambda")
        for each in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.delete_event_source_mapping(UUID=each["UUID"])
        before = arrived(stack)
        if missing == "topic policy":
            topic = stack.resource("ObjectCreatedTopic")
            nothing = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic}],
            }
            clients("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(nothing)
            )
        elif missing == "queue policy":
            clients("sqs").set_queue_attributes(QueueUrl=stack.outputs["TransformQueueUrl"], Attributes={"Policy": ""})
        clients("s3").put_object(Bucket=stack.outputs["UploadBucketName"], Key=f"originals/{ID}", Body=b"x")
        clients("s3").put_object(Bucket=stack.outputs["UploadBucketName"], Key=f"archive/{ID}", Body=b"x")
        until = time.monotonic() + 5
        while arrived(stack) == before and time.monotonic() < until and missing is None:
            time.sleep(0.05)
        time.sleep(0.3)
        assert arrived(stack) - before == (1 if missing is None else 0)


def test_without_the_bucket_policy_readers_get_nothing(emulator, packages):
    with deploying(emulator, packages) as stack:
        s3 = stack.stack._clients("s3")
        bucket = stack.outputs["AssetsBucketName"]
        s3.put_object(Bucket=bucket, Key=f"i/{ID}/medium.jpg", Body=b"the jpeg")
        assert stack.get(f"/i/{ID}/medium.jpg").content == b"the jpeg"
        s3.delete_bucket_policy(Bucket=bucket)
        assert stack.get(f"/i/{ID}/medium.jpg").status_code != 200
