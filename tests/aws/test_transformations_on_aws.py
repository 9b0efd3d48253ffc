"""Pictures by their addresses on AWS: the packages, deployed from the template, with permissions enforced.

In the emulator with our reading of what it lacks of CloudFront (``shimmed.py``), so labelled ``shim``: no evidence of
AWS as to groups of origins, origin access control and the key value store.
"""

import base64
import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from urllib.parse import urlsplit

import botocore.config
import httpx
import pytest
from PIL import Image

import pictures
from answers import picture_of, refused
from darkroom.access.published import ANY
from darkroom.access.signing import SigningSecret
from darkroom.edge.signatures import path_of, sign
from darkroom.edge.window import ASKED
from darkroom.results import Result
from darkroom.results.dynamodb import DynamoResults
from darkroom.serverless.wire import LARGEST_ANSWER_BYTES, RESULT_TAGS
from darkroom.service import utc_now
from deployed import deploying
from patience import eventually, ready

AVIF = {"accept": "image/avif,image/webp,*/*;q=0.8"}
ANYTHING = {"accept": "*/*"}
FOR_EVER = "public, max-age=86400, s-maxage=31536000"


@pytest.fixture(scope="module", params=["shim"])
def stack(shimmed_emulator, packages):
    with deploying(shimmed_emulator, packages, UnsignedSizes="33x0,44x44") as deployed:
        deployed.make_defaults()
        deployed.make_first_secret()
        yield deployed


@pytest.fixture(scope="module")
def client(stack):
    with stack.client(stack.new_key()) as opened:
        yield opened


@pytest.fixture(scope="module")
def image(client):
    return ready(client, pictures.jpeg(2400, 600))


def signed(client, image, options, ext="jpg", **said):
    answer = client.post("/v1/sign", json={"id": image["id"], "options": options, "ext": ext, **said})
    assert answer.status_code == 200, answer.text
    return urlsplit(answer.json()["url"]).path


def made_secret(client, owner):
    answer = client.post("/v1/secrets", json={"owner": owner})
    assert answer.status_code == 201, answer.text
    kid, _, text = answer.json()["secret"].partition(".")
    return SigningSecret(id=kid, owner=owner, secret=base64.urlsafe_b64decode(text + "="), created_at=utc_now())


def own(image, options, secret, ext="jpg"):
    """Sign without the API."""
    return path_of(image["id"], options, sign(secret.secret, image["id"], options, ext), ext)


def is_of_the_function(answer):
    """Tell whether it was the function that answered, and not the bucket: Lambda says so."""
    return "x-amzn-trace-id" in answer.headers


def refused_at_the_edge(answer, code):
    assert answer.headers["x-cache"] == "FunctionGeneratedResponse from cloudfront"
    refused(answer, 403, code)


def objects_of(stack, image, under="t/"):
    prefix = f"i/{image['id']}/{under}"
    found = stack.stack._clients("s3").list_objects_v2(Bucket=stack.outputs["AssetsBucketName"], Prefix=prefix)
    return sorted(each["Key"].removeprefix(prefix) for each in found.get("Contents", []))


def ages(header):
    """Return the two numbers of a ``Cache-Control`` header."""
    return [int(part.partition("=")[2]) for part in header.split(",") if "=" in part]


# ------------------------------------------------------------------ made once


def test_a_picture_is_made_by_the_function_and_comes_from_the_bucket_ever_after(stack, client, image):
    address = signed(client, image, "width=80,height=80,fit=cover")
    first, again = client.get(address), client.get(address)
    assert [is_of_the_function(each) for each in (first, again)] == [True, False]
    assert picture_of(first).size == (80, 80)
    assert first.content == again.content
    for answer in (first, again):
        assert answer.headers["cache-control"] == FOR_EVER
        assert answer.headers["etag"] == first.headers["etag"]
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "vary" not in answer.headers
    assert objects_of(stack, image) == ["width=80,height=80,fit=cover.jpg"]
    alias = client.get(signed(client, image, "fit=cover,height=40,width=0040,dpr=2"))
    assert (alias.content, is_of_the_function(alias)) == (first.content, False)
    part = client.get(address, headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, first.content[:10])
    assert client.get(address, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    head = client.head(address)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(first.content)))


def test_what_is_kept_is_known_to_the_rule_that_removes_it_in_time(stack, client, image):
    client.get(signed(client, image, "width=81"))
    s3, bucket = stack.stack._clients("s3"), stack.outputs["AssetsBucketName"]
    tags = s3.get_object_tagging(Bucket=bucket, Key=f"i/{image['id']}/t/width=81.jpg")["TagSet"]
    assert {each["Key"]: each["Value"] for each in tags} == RESULT_TAGS
    assert s3.get_object_tagging(Bucket=bucket, Key=f"i/{image['id']}/medium.jpg")["TagSet"] == []


def test_one_that_the_rule_has_removed_comes_back_when_it_is_asked_for(stack, client, image):
    address = signed(client, image, "width=82")
    first = client.get(address)
    stack.stack._clients("s3").delete_object(
        Bucket=stack.outputs["AssetsBucketName"], Key=f"i/{image['id']}/t/width=82.jpg"
    )
    again = client.get(address)
    assert (is_of_the_function(again), again.content) == (True, first.content)


def test_many_at_once_have_it_made_once(stack, client, image):
    address = signed(client, image, "width=391,blur=2", "webp")
    s3, bucket = stack.stack._clients("s3"), stack.outputs["AssetsBucketName"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.get(address), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    versions = s3.list_object_versions(Bucket=bucket, Prefix=f"i/{image['id']}/t/width=391")["Versions"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert len(versions) == 1


def test_whoever_waits_for_another_s_too_long_is_told_when_to_come_again(stack, client, image):
    with closing(ledger(stack)) as results:
        receipt = results.claim(image["id"], "t/width=83.jpg", 60)
        answer = client.get(signed(client, image, "width=83"))
        refused(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        results.release(receipt, image["id"], "t/width=83.jpg")
    assert picture_of(client.get(signed(client, image, "width=83"))).width == 83


def ledger(stack, clock=utc_now):
    return DynamoResults(stack.stack._clients("dynamodb"), stack.outputs["ResultsTableName"], clock)


def test_what_is_longer_than_a_function_s_answer_is_sent_for_to_the_bucket(stack, client):
    noise = Image.frombytes("RGB", (1500, 1500), random.Random(1).randbytes(1500 * 1500 * 3))
    image = ready(client, pictures.encode(noise, "JPEG", quality=60))
    address = signed(client, image, "width=1450", "png")
    sent = client.get(address)
    assert (sent.status_code, sent.headers["cache-control"]) == (307, "no-store")
    assert sent.headers["location"] == address
    there = client.get(address)
    assert picture_of(there).format == "PNG"
    assert len(there.content) > LARGEST_ANSWER_BYTES
    assert not is_of_the_function(there)


# ------------------------------------------------------------------ who may


def test_what_is_not_signed_ends_at_the_edge(client, image):
    right = signed(client, image, "width=84")
    for wrong in (
        right.replace("84", "85"),
        right.replace(".jpg", ".png"),
        right.replace(".jpg", ".auto"),
        right[:-5] + ("A" if right[-5] != "A" else "B") + ".jpg",
        right + "/" + right.rpartition("/")[2],
        f"/i/{image['id']}/t/width=84/u.jpg",
        f"/i/{image['id']}/t/",
        f"/i/{image['id']}/t/width=84",
        right.replace("width=84", "width=84%00"),
    ):
        refused_at_the_edge(client.get(wrong), "bad-signature")
    assert picture_of(client.get(right)).width == 84


def test_a_size_that_the_operator_allows_takes_no_signature_and_any_other_ends_at_the_edge(stack, client):
    image = ready(client, pictures.jpeg(2400, 600))
    address = f"/i/{image['id']}/t/{{}}/u.{{}}"
    first, again = (client.get(address.format("width=33", "jpg")) for _ in range(2))
    assert [is_of_the_function(each) for each in (first, again)] == [True, False]
    assert picture_of(first).width == 33
    assert client.get(signed(client, image, "width=33")).content == first.content
    assert picture_of(client.get(address.format("fit=cover,width=22,height=22,dpr=2", "png"))).size == (44, 44)
    negotiated = client.get(address.format("width=33", "auto"), headers=ANYTHING)
    assert (picture_of(negotiated).format, negotiated.headers["vary"]) == ("JPEG", "Accept")
    before = objects_of(stack, image)
    for options in (
        "width=34",
        "width=33,blur=1",
        "width=33,quality=5",
        "height=33",
        "fit=cover",
        "width=33,kid=-33x0",
    ):
        refused_at_the_edge(client.get(address.format(options, "jpg")), "bad-signature")
    assert objects_of(stack, image) == before


def test_the_function_believes_nobody_the_edge_neither(stack, image):
    for asked in (f"/i/{image['id']}/t/width=85/u.jpg", f"/i/{image['id']}/t/width=85.jpg", "", "/"):
        event = {"headers": {ASKED: asked}, "requestContext": {"http": {"method": "GET"}}}
        told = stack.invoke("RenderFunctionName", event)
        assert told["statusCode"] == 403
        assert json.loads(base64.b64decode(told["body"]))["code"] == "bad-signature"
    assert "width=85.jpg" not in objects_of(stack, image)


def test_nobody_but_the_distribution_reaches_the_function(stack, client, image):
    functions = stack.stack._clients("lambda")
    url = urlsplit(functions.get_function_url_config(FunctionName=stack.outputs["RenderFunctionName"])["FunctionUrl"])
    address = signed(client, image, "width=86")
    headers = {"host": url.netloc, ASKED: address}
    assert httpx.get(stack.emulator.url + "/", headers=headers, trust_env=False).status_code == 403
    assert picture_of(client.get(address)).width == 86


@pytest.mark.parametrize("permission", ["RenderUrlPermission", "RenderPermission"])
def test_the_distribution_reaches_it_by_two_permissions_and_by_no_less(stack, client, image, permission):
    functions, name = stack.stack._clients("lambda"), stack.outputs["RenderFunctionName"]
    statements = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    (taken,) = [each for each in statements if each["Sid"] == stack.resource(permission)]
    functions.remove_permission(FunctionName=name, StatementId=taken["Sid"])
    address = signed(client, image, f"width={len(permission)}")
    try:
        assert client.get(address).status_code == 404  # the 403 of the function is a picture that is missing
    finally:
        condition = taken["Condition"]
        given = {"FunctionUrlAuthType": "AWS_IAM"} if "Url" in permission else {"InvokedViaFunctionUrl": True}
        functions.add_permission(
            FunctionName=name,
            StatementId=taken["Sid"],
            Action=taken["Action"],
            Principal="cloudfront.amazonaws.com",
            SourceArn=condition["ArnLike"]["AWS:SourceArn"],
            **given,
        )
    assert client.get(address).status_code == 200


def test_secrets_come_and_go_at_the_edge_too(stack, client, image):
    before = at_the_edge(stack).keys()
    new = made_secret(client, "local")
    assert at_the_edge(stack).keys() == before | {new.id}
    old = signed(client, image, "width=87")
    fresh = own(image, f"width=88,kid={new.id}", new)
    assert client.get(fresh).status_code == client.get(old).status_code == 200
    assert picture_of(client.get(own(image, "width=89", new))).width == 89, "who names no secret is tried with all"
    assert client.delete(f"/v1/secrets/{new.id}").status_code == 204
    assert at_the_edge(stack).keys() == before
    refused_at_the_edge(client.get(fresh), "bad-signature")
    assert client.delete(f"/v1/secrets/{new.id}").status_code == 404


def test_what_went_wrong_between_the_two_is_set_right_by_the_schedule(stack, client):
    store = edge_store(stack)
    with closing(keyvalues(stack)) as edge:
        etag = edge.describe_key_value_store(KvsARN=store)["ETag"]
        edge.update_keys(KvsARN=store, IfMatch=etag, Puts=[{"Key": "forgotten", "Value": "x"}])
    stack.invoke("SecretsFunctionName", {})
    assert "forgotten" not in at_the_edge(stack)


def edge_store(stack):
    functions = stack.stack._clients("lambda")
    told = functions.get_function_configuration(FunctionName=stack.outputs["SecretsFunctionName"])["Environment"]
    return told["Variables"]["DARKROOM_SECRETS_STORE"]


def keyvalues(stack):
    """A client that signs as root; for all regions only awscrt could."""
    url = stack.emulator.url.replace("//", "//user@")
    config = botocore.config.Config(signature_version="v4", proxies={})
    return stack.emulator.session().client("cloudfront-keyvaluestore", endpoint_url=url, config=config)


def at_the_edge(stack):
    with closing(keyvalues(stack)) as edge:
        return {each["Key"]: each["Value"] for each in edge.list_keys(KvsARN=edge_store(stack), MaxResults=50)["Items"]}


def test_a_secret_signs_its_owners_images_only(client, image):
    stranger = made_secret(client, "stranger")
    answer = client.get(own(image, f"width=90,kid={stranger.id}", stranger))
    # The edge does not know whose image it is; the function does, and CloudFront shows the default image for its 403.
    assert (answer.status_code, answer.headers["content-type"]) == (404, "image/jpeg")
    assert client.delete(f"/v1/secrets/{stranger.id}").status_code == 204


# ------------------------------------------------------------------ what is said with it


def test_auto_is_negotiated_by_what_the_picture_is(client, image):
    clear = ready(client, pictures.png(60, 60, alpha=True))
    for picture, accept, kind in ((image, AVIF, "AVIF"), (image, ANYTHING, "JPEG"), (clear, ANYTHING, "PNG")):
        answer = client.get(signed(client, picture, "width=40", "auto"), headers=accept)
        assert picture_of(answer).format == kind
        assert answer.headers["vary"] == "Accept"
        assert answer.headers["cache-control"] == FOR_EVER


def test_an_avif_over_the_budget_is_made_by_a_message_and_takes_its_place(stack, client, image):
    address = signed(client, image, "width=95", "auto")
    with stack.configured("RenderFunction", DARKROOM_AVIF_BUDGET_SECONDS="0"):
        first = client.get(address, headers=AVIF)
        assert picture_of(first).format == "WEBP"
        assert first.headers["cache-control"] == "public, max-age=10, s-maxage=10"

        def is_avif():
            answer = client.get(address, headers=AVIF)
            return answer if answer.headers["content-type"] == "image/avif" else None

        later = eventually(is_avif, seconds=60, what="the AVIF taking its place")
    assert later.headers["cache-control"] == FOR_EVER
    assert {"width=95.webp", "width=95.avif"} <= set(objects_of(stack, image))


def test_a_wrong_option_is_named_by_the_function(client, image):
    secret = made_secret(client, "local")
    for options, named in (("width=0", "width"), ("colour=red", "colour"), ("width=5,width=6", "width")):
        answer = client.get(own(image, f"{options},kid={secret.id}", secret))
        assert named in refused(answer, 422, "invalid-request")


def test_nobody_keeps_a_picture_beyond_the_end_of_its_address(client, image):
    address = signed(client, image, "width=91", expires_in=100)
    first, again = client.get(address), client.get(address)
    assert [is_of_the_function(each) for each in (first, again)] == [True, False]
    for answer in (first, again):
        assert all(80 <= age <= 100 for age in ages(answer.headers["cache-control"])), answer.headers
    assert ages(client.get(signed(client, image, "width=91")).headers["cache-control"]) == ages(FOR_EVER)


def test_an_address_that_is_over_ends_at_the_edge(client, image):
    secret = made_secret(client, "local")
    answer = client.get(own(image, f"width=92,exp=1,kid={secret.id}", secret))
    refused_at_the_edge(answer, "expired")


def test_more_than_is_kept_is_not_enlarged_and_a_header_says_so_whoever_answers(client, image):
    address = signed(client, image, "width=2200")
    first, again = client.get(address), client.get(address)
    assert [is_of_the_function(each) for each in (first, again)] == [True, False]
    for answer in (first, again):
        assert picture_of(answer).size == (1920, 480)
        assert answer.headers["x-not-enlarged"] == "1920x480"
        assert not [name for name in answer.headers if name.startswith("x-amz-meta")]


# ------------------------------------------------------------------ the end


def test_a_deleted_image_leaves_nothing_behind_and_nothing_is_made_of_it(stack, client):
    image = ready(client, pictures.jpeg(60, 40))
    there, other = signed(client, image, "width=20"), signed(client, image, "width=21")
    assert client.get(there).status_code == 200
    assert client.delete(f"/v1/images/{image['id']}").status_code == 204
    for gone in (there, other):
        answer = client.get(gone)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "image/jpeg")
    eventually(lambda: objects_of(stack, image, "") == [], what="everything of the image being gone")


def test_what_is_left_in_the_ledger_of_what_is_long_gone_is_swept_up(stack, client, image):
    long_ago = utc_now() - timedelta(days=50)
    with closing(ledger(stack, lambda: long_ago)) as then, closing(ledger(stack)) as now:
        receipt = then.claim(image["id"], "t/width=93.jpg", 1)
        assert then.commit(receipt, Result(image_id=image["id"], name="t/width=93.jpg", checksum="x"))
        client.get(signed(client, image, "width=94"))
        stack.invoke("SweepFunctionName", {})
        assert not now.owns(image["id"], "t/width=93.jpg")
        assert now.owns(image["id"], "t/width=94.jpg")
    assert "width=94.jpg" in objects_of(stack, image)


def test_the_store_holds_all_secrets_under_one_name_for_who_names_none(stack):
    held = at_the_edge(stack)
    assert {held.pop("-33x0"), held.pop("-44x44")} == {"1"}
    assert sorted(held.pop(ANY).split(",")) == sorted(held.values())
