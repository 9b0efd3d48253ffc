"""Uploads in parts on AWS: the event that S3 tells of them, and the permissions without which they do not work."""

import json
import time

import pytest

import pictures
from deployed import deploying
from patience import settled

PART = 8 * 1024 * 1024
BODY = pictures.jpeg(64, 48).ljust(PART + 1_000, b"\0")


@pytest.fixture(scope="module")
def stack(emulator, packages):
    with deploying(emulator, packages, Originals="keep") as stack:
        yield stack


@pytest.fixture
def client(stack):
    with stack.client(stack.new_key()) as client:
        yield client


@pytest.fixture
def without(stack):
    """Take a policy from the role of the API for the length of a test."""
    iam = stack.stack._clients("iam")
    role = stack.resource("ApiRole")
    taken = []

    def take(policy):
        taken.append((policy, iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]))
        iam.delete_role_policy(RoleName=role, PolicyName=policy)

    yield take
    for policy, document in taken:
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def opened(client):
    answer = client.post("/v1/uploads", json={"filename": "long.jpg", "bytes": len(BODY)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def send(client, ticket):
    for number, part in enumerate(ticket["parts"]):
        assert client.put(part["url"], content=BODY[number * PART : (number + 1) * PART]).status_code == 200


def uploads_in(stack):
    s3 = stack.stack._clients("s3")
    found = s3.list_multipart_uploads(Bucket=stack.outputs["UploadBucketName"]).get("Uploads", [])
    return [each["Key"] for each in found]


def test_s3_has_an_entity_tag_of_its_own_for_what_came_in_parts_and_it_is_worked_on(stack, client):
    ticket = opened(client)
    assert f"originals/{ticket['id']}" in uploads_in(stack)
    send(client, ticket)
    assert client.post(ticket["complete_url"]).status_code == 200
    assert settled(client, ticket["id"])["state"] == "ready"
    s3 = stack.stack._clients("s3")
    found = s3.head_object(Bucket=stack.outputs["UploadBucketName"], Key=f"originals/{ticket['id']}")
    assert found["ETag"].endswith('-2"')
    assert f"originals/{ticket['id']}" not in uploads_in(stack)


def test_an_upload_of_a_deleted_image_leaves_no_parts(stack, client):
    ticket = opened(client)
    send(client, ticket)
    assert client.delete(f"/v1/images/{ticket['id']}").status_code == 204
    assert f"originals/{ticket['id']}" not in uploads_in(stack)


def test_nobody_asks_after_parts_or_completes_them_without_the_permission_to_list_them(client, without):
    ticket = opened(client)
    send(client, ticket)
    without("ListParts")
    assert client.get(ticket["resume_url"]).status_code == 503
    assert client.post(ticket["complete_url"]).status_code == 503


def test_without_the_permission_to_give_up_parts_a_delete_is_ended_by_its_event(stack, client, without):
    ticket = opened(client)
    send(client, ticket)
    without("AbortParts")
    assert client.delete(f"/v1/images/{ticket['id']}").status_code == 503
    until = time.monotonic() + 60
    while f"originals/{ticket['id']}" in uploads_in(stack):
        assert time.monotonic() < until
        time.sleep(0.2)


def test_nothing_is_begun_without_the_permission_to_put(client, without):
    without("PutOriginals")
    answer = client.post("/v1/uploads", json={"filename": "long.jpg", "bytes": len(BODY)})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
