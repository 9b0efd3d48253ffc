"""What an operator does to a stage with their own credentials: export, import, sweep, audit, verify, what failed."""

import json
import os
import secrets
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

import pictures
from darkroom import aws
from darkroom.catalog.documents import to_document
from darkroom.cli import command_line
from darkroom.events import EdgePurge, Lease, ObjectCreated
from darkroom.events.sqs import SqsQueue
from darkroom.model import State
from deployed import deploying
from emulator import ACCOUNT, REGION
from homes import BROKEN, Home
from patience import eventually, ready, settled, shows_default

STRANGER = "01k3v9m0c4qdhsyx7g6e8rb2tz"


def operator(deployed):
    """What docs/deploy-aws.md says that these commands need, and nothing else."""
    outputs, sqs = deployed.outputs, f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
    names = [outputs["UploadBucketName"], outputs["AssetsBucketName"]]
    tables = [
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{outputs[name]}" for name in ("FilesTableName", "ResultsTableName")
    ]
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{outputs['TransformFunctionName']}"
    queue, dead = (sqs + outputs[name].rpartition("/")[2] for name in ("TransformQueueUrl", "DeadLetterQueueUrl"))
    purges = sqs + environment_of(deployed)["DARKROOM_PURGE_QUEUE_URL"].rpartition("/")[2]
    verbs = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "BatchGetItem", "BatchWriteItem")
    return [
        {
            "Action": "cloudformation:DescribeStacks",
            "Resource": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/darkroom-*",
        },
        {"Action": ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"], "Resource": function},
        {"Action": [f"dynamodb:{verb}" for verb in verbs], "Resource": tables},
        {"Action": "s3:ListBucket", "Resource": [f"arn:aws:s3:::{name}" for name in names]},
        {
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"],
            "Resource": [f"arn:aws:s3:::{name}/*" for name in names],
        },
        {"Action": "sqs:SendMessage", "Resource": [queue, purges]},
        {"Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"], "Resource": dead},
        {"Action": "sqs:GetQueueAttributes", "Resource": [queue, dead]},
    ]


def environment_of(deployed):
    found = deployed.stack._clients("lambda").get_function_configuration(
        FunctionName=deployed.outputs["TransformFunctionName"]
    )
    return found["Environment"]["Variables"]


class Operator:
    """Runs `darkroom`, on one stage unless told otherwise."""

    def __init__(self, deployed, *statements):
        self._deployed = deployed
        self._environment = deployed.emulator.environment(deployed.emulator.allowing(*statements))
        self.stage = ("--stage", deployed.stack.name.removeprefix("darkroom-"), "--region", REGION)

    def __call__(self, *arguments, code=0, said="", where=None, **environment):
        cleared = {name: None for name in os.environ if name.startswith(("AWS_", "DARKROOM_"))}
        given = map(str, (*arguments, *(self.stage if where is None else where)))
        before = os.umask(0o022)
        try:
            ran = CliRunner().invoke(command_line(), list(given), said, env=cleared | self._environment | environment)
        finally:
            os.umask(before)
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        assert ran.exit_code == code, ran.stdout + ran.stderr
        return ran

    def objects(self, *arguments, code=0):
        return [json.loads(line) for line in self(*arguments, "--json", code=code).stdout.splitlines()]


@contextmanager
def staged(emulator, packages, **parameters):
    with deploying(emulator, packages, **parameters) as deployed:
        deployed.make_defaults()
        yield deployed


@pytest.fixture(scope="module")
def keeping(emulator, packages):
    with staged(emulator, packages, Originals="keep") as deployed:
        yield deployed


@pytest.fixture(scope="module")
def deleting(emulator, packages):
    with staged(emulator, packages, Originals="delete") as deployed:
        yield deployed


@pytest.fixture(scope="module")
def client(keeping):
    with keeping.client(keeping.new_key()) as asking:
        yield asking


@pytest.fixture(scope="module")
def darkroom(keeping):
    return Operator(keeping, *operator(keeping))


@pytest.fixture
def home(tmp_path):
    """A data folder: two ready, one failed, one deleted."""
    made = Home(tmp_path / "data")
    made.ready(pictures.png(60, 40), tags=("Sea", "Straße"), title="Ein Tag", album="Summer")
    made.ready(pictures.jpeg(50, 40) + b"\0" * 2_000_000)
    made.receive(BROKEN)
    made.work()
    gone = made.ready(pictures.jpeg(33, 44))
    made.service.delete(gone.owner, gone.id)
    made.work()
    yield made
    made.close()


@pytest.fixture
def other(tmp_path):
    made = Home(tmp_path / "other")
    yield made
    made.close()


def living(home):
    """The documents of all images that are not deleted, without what belongs to the deployment."""
    documents = {one.id: to_document(one) for one in home.images().values() if one.state is not State.DELETED}
    for document in documents.values():
        document.pop("original_etag", None)
        document.pop("version")
        document.pop("generation", None)
        document.pop("asked_at", None)
    return documents


def bytes_of(home):
    """Every object by its key; an original may have moved to the archive."""
    return {path.replace("uploads/archive/", "uploads/originals/"): body for path, body in home.objects().items()}


# ------------------------------------------------------------------ export and import


@pytest.mark.parametrize("policy", ["keeping", "deleting"])
def test_a_library_moves_into_a_stage_and_back_and_is_the_same(request, policy, home, other, tmp_path):
    deployed = request.getfixturevalue(policy)
    darkroom = Operator(deployed, *operator(deployed))
    there, back = tmp_path / "there", tmp_path / "back"
    darkroom("export", there, "--images", where=("--data", home.layout.root))
    assert darkroom("import", there).stdout == "3 images: 3 created\n"

    with deployed.client(deployed.new_key()) as client:
        for one in home.images().values():
            answer = client.get(f"/v1/images/{one.id}")
            if one.state is State.DELETED:
                assert answer.status_code == 404
                continue
            assert answer.json()["state"] == one.state.value
            for variant in one.variants:
                shown = client.get(f"/{variant.key}")
                assert shown.content == home.objects()[f"assets/{variant.key}"]
                assert shown.headers["cache-control"] == "public, max-age=86400, s-maxage=31536000"
        (found,) = client.get("/v1/images", params={"tag": "sea", "q": "tag"}).json()["items"]
        assert (found["tags"], found["album"]) == (["Sea", "Straße"], "Summer")

    ready_ones = [one.id for one in home.images().values() if one.state is State.READY]
    folder = "originals" if policy == "keeping" else "archive"
    s3, bucket = deployed.stack._clients("s3"), deployed.outputs["UploadBucketName"]
    for image_id in ready_ones:  # where the bucket's own rules let it stay
        assert s3.head_object(Bucket=bucket, Key=f"{folder}/{image_id}")["ContentLength"] > 0

    assert darkroom("import", there).stdout == "3 images: 3 unchanged\n"
    assert darkroom("audit").stdout.endswith(": no difference\n")
    assert darkroom("verify").stdout.splitlines()[0].endswith(": sound")
    darkroom("export", back, "--images")
    darkroom("import", back, where=("--data", other.layout.root))
    mine = living(home)
    assert {key: one for key, one in living(other).items() if key in mine} == mine
    assert bytes_of(home).items() <= bytes_of(other).items()
    assert other.differences() == []


def test_one_that_was_on_its_way_is_made_ready_by_the_stage(darkroom, client, home, tmp_path):
    late = home.receive(pictures.jpeg(70, 30))
    darkroom("export", tmp_path / "there", "--images", where=("--data", home.layout.root))
    darkroom("import", tmp_path / "there")
    assert settled(client, late.id)["state"] == "ready"
    assert darkroom("audit").stdout.endswith(": no difference\n")


def test_what_was_deleted_in_the_stage_stays_deleted(darkroom, client, home, tmp_path):
    darkroom("export", tmp_path / "there", "--images", where=("--data", home.layout.root))
    darkroom("import", tmp_path / "there")
    image_id, path = next((one.id, one.variants[0].key) for one in home.images().values() if one.variants)
    assert client.delete(f"/v1/images/{image_id}").status_code == 204
    assert "1 deleted" in darkroom("import", tmp_path / "there", "--on-conflict", "replace").stdout
    assert client.get(f"/v1/images/{image_id}").status_code == 404
    assert shows_default(client.get(f"/{path}"), "missing")


def test_another_of_the_same_id_is_replaced_only_when_told_to(darkroom, client, home, tmp_path):
    darkroom("export", tmp_path / "there", "--images", where=("--data", home.layout.root))
    darkroom("import", tmp_path / "there")
    image = next(one for one in home.images().values() if one.title == "Ein Tag")
    url = f"/v1/images/{image.id}"
    assert client.patch(url, json={"title": "Another"}).status_code == 200
    assert darkroom("import", tmp_path / "there").stdout == "3 images: 1 skipped, 2 unchanged\n"
    failed = darkroom("import", tmp_path / "there", "--on-conflict", "fail", code=1)
    assert "nothing was imported" in failed.stderr
    assert client.get(url).json()["title"] == "Another"
    assert "1 replaced" in darkroom("import", tmp_path / "there", "--on-conflict", "replace").stdout
    assert client.get(url).json()["title"] == "Ein Tag"
    for variant in image.variants:
        assert client.get(f"/{variant.key}").content == home.objects()[f"assets/{variant.key}"]
    assert client.get(f"{url}/original").content == home.objects()[f"uploads/originals/{image.id}"]
    assert darkroom("audit").stdout.endswith(": no difference\n")


def test_lines_alone_go_through_a_pipe(darkroom, client, home):
    image = ready(client, pictures.jpeg(61, 41), tags="piped")
    out = darkroom("export", "-").stdout
    assert json.loads(out.splitlines()[-1]) == {"end": len(out.splitlines()) - 2}
    assert image["id"] in out
    darkroom("import", "-", said=out, where=("--data", home.layout.root))
    assert home.images()[image["id"]].tags == ("piped",)


# ------------------------------------------------------------------ sweep, audit, verify


def test_what_nobody_owns_is_told_by_a_dry_sweep_and_an_audit(keeping, darkroom):
    s3, bucket = keeping.stack._clients("s3"), keeping.outputs["AssetsBucketName"]
    s3.put_object(Bucket=bucket, Key=f"i/{STRANGER}/small.jpg", Body=b"planted")
    s3.put_object(Bucket=bucket, Key="elsewhere/small.jpg", Body=b"planted")
    found = {(one.get("kind"), one.get("key")) for one in darkroom.objects("audit", code=1)}
    assert ("unowned-object", f"i/{STRANGER}/small.jpg") in found
    assert ("foreign-object", "elsewhere/small.jpg") in found
    for _ in range(2):
        told = darkroom.objects("sweep", "--dry-run")
        assert [one["key"] for one in told[:-1]] == ["elsewhere/small.jpg"]  # the other is young
    assert s3.head_object(Bucket=bucket, Key="elsewhere/small.jpg")
    for key in (f"i/{STRANGER}/small.jpg", "elsewhere/small.jpg"):
        s3.delete_object(Bucket=bucket, Key=key)
    assert darkroom("audit").stdout.endswith(": no difference\n")


def test_a_lost_variant_is_made_anew_by_the_stage_after_a_sweep(keeping, darkroom, client):
    image = ready(client, pictures.jpeg(90, 60))
    s3, bucket, key = keeping.stack._clients("s3"), keeping.outputs["AssetsBucketName"], f"i/{image['id']}/small.jpg"
    whole = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=bucket, Key=key)
    (finding, _) = darkroom.objects("sweep")
    assert (finding["kind"], finding["key"], finding["mended"]) == ("missing-object", key, True)
    assert settled(client, image["id"])["version"] > image["version"]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == whole


def test_a_flipped_bit_is_found_and_repaired_in_pictures_and_default_images(keeping, darkroom, client):
    image = ready(client, pictures.jpeg(90, 66))
    s3, bucket = keeping.stack._clients("s3"), keeping.outputs["AssetsBucketName"]
    whole = {}
    for key in (f"i/{image['id']}/medium.jpg", "default/small.jpg"):
        whole[key] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=bucket, Key=key, Body=whole[key][:-1] + bytes([whole[key][-1] ^ 4]))
    told = darkroom.objects("verify", "--repair", code=1)
    assert {(one["key"], one["fault"], one["repair"]) for one in told[:-1]} == {
        (key, "damaged-object", True) for key in whole
    }
    assert settled(client, image["id"])["state"] == "ready"
    for key, body in whole.items():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    darkroom("verify")


# ------------------------------------------------------------------ what failed


@pytest.fixture
def queue(keeping, monkeypatch):
    """The stage's queue, to bury in what a worker would."""
    for name, value in keeping.emulator.environment().items():
        monkeypatch.setenv(name, value)
    sqs = aws.client("sqs", endpoint=keeping.emulator.url)
    yield SqsQueue(sqs, keeping.outputs["TransformQueueUrl"], keeping.outputs["DeadLetterQueueUrl"])
    sqs.close()


def bury(queue, event, reason):
    queue.bury(Lease(event=event, receipt="", attempt=5), reason, attempts=5)


def failing(client):
    body = b"this is no picture " + secrets.token_bytes(8)
    ticket = client.post("/v1/uploads", json={"filename": "text.jpg", "bytes": len(body)}).json()
    assert client.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    assert settled(client, ticket["id"])["state"] == "failed"
    return ticket["id"]


def test_failures_are_listed_with_their_reasons_tried_again_and_dropped(darkroom, client, queue):
    image_id = failing(client)
    listed = darkroom("failed", "list").stdout
    assert image_id in listed
    assert "unsupported-format" in listed
    assert "text.jpg" in darkroom("failed", "show", image_id).stdout
    version = client.get(f"/v1/images/{image_id}").json()["version"]
    darkroom("failed", "retry", image_id)
    eventually(lambda: settled(client, image_id)["version"] > version + 1, what="the second try")
    darkroom("failed", "drop", image_id, "--yes")
    assert client.get(f"/v1/images/{image_id}").status_code == 404
    assert darkroom("audit").stdout.endswith(": no difference\n")


def test_dead_letters_are_listed_redriven_and_dropped(darkroom, client, queue):
    images = [ready(client, pictures.jpeg(91, 60 + number)) for number in range(2)]
    for image in images:
        bury(queue, EdgePurge(image_id=image["id"], names=()), "the edge said 403")
    bury(queue, ObjectCreated(key=f"originals/{images[0]['id']}", etag="e"), "killed each time")
    told = {one["id"]: one for one in darkroom.objects("failed", "list")}
    assert told.keys() >= {image["id"] for image in images}
    events = told[images[0]["id"]]["events"]
    assert {(one["work"], one["reason"], one["attempts"]) for one in events} == {
        ("purging", "the edge said 403", 5),
        ("rendering", "killed each time", 5),
    }
    assert "purging, given up" in darkroom("failed", "show", images[1]["id"]).stdout
    darkroom("failed", "drop", "--yes", images[1]["id"])
    assert queue.depth().buried == 2
    darkroom("failed", "retry", "--all")
    eventually(lambda: queue.depth().buried == queue.depth().waiting == queue.depth().leased == 0, what="the redrive")
    left = {one["id"] for one in darkroom.objects("failed", "list")}
    assert not left & {image["id"] for image in images}
    assert {client.get(f"/v1/images/{image['id']}").json()["state"] for image in images} == {"ready"}


# ------------------------------------------------------------------ what is refused


def test_what_is_missing_is_said_in_a_sentence(keeping, darkroom, tmp_path):
    assert "--region" in darkroom("audit", where=("--stage", "x"), code=1, AWS_DEFAULT_REGION="").stderr
    assert "there is no stack darkroom-nowhere" in darkroom("audit", where=("--stage", "nowhere"), code=1).stderr
    both = darkroom("audit", where=(*darkroom.stage, "--data", tmp_path), code=1).stderr
    assert both == "darkroom: --data and --stage name two libraries; give one of them\n"
    nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    nobody = darkroom("audit", code=1, **nothing, AWS_EC2_METADATA_DISABLED="true", HOME="/nonexistent").stderr
    assert "credentials" in nobody


def test_who_may_only_read_may_export_and_audit_and_changes_nothing(keeping, darkroom, client, home, tmp_path):
    ready(client, pictures.jpeg(44, 45))
    writes = ("Put", "Update", "Delete", "Write", "Send", "Invoke", "Receive", "Change")
    reading = []
    for one in operator(keeping):
        actions = [one["Action"]] if isinstance(one["Action"], str) else one["Action"]
        left = [action for action in actions if not any(write in action for write in writes)]
        reading += [one | {"Action": left}] if left else []
    reader = Operator(keeping, *reading)
    reader("export", tmp_path / "export", "--images")
    reader("audit")
    reader("sweep", "--dry-run")
    darkroom("export", tmp_path / "there", "--images", where=("--data", home.layout.root))
    refused = reader("import", tmp_path / "there", code=1).stderr
    assert refused.count("\n") == 1
    assert not [one for one in home.images() if client.get(f"/v1/images/{one}").status_code == 200]
