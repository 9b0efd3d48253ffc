"""A stage on AWS from nothing to a key in hand, how it is, and its end: what ``darkroom aws`` does."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from darkroom import settings as configuration
from darkroom.access import LOCAL_OWNER, Scope
from darkroom.cost.prices import load_prices
from darkroom.errors import BadConfiguration, Unavailable
from darkroom.serverless import wire
from darkroom.serverless.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from darkroom.serverless.stack import Plan, Status
    from darkroom.settings import CloudSettings

LONGEST_CALL_SECONDS = 300
"""How long a function is waited for: making the default images for the first time, at most."""

POLLS = 5 * 3 * 60 * 24 * 30
"""Requests a month by which Lambda listens to one quiet queue: five at a time, of 20 seconds each (AWS's documents)."""

STORE_REQUESTS = 2 * 30
"""Requests a month by which the secrets function looks into the key value store, once a day."""

PRICED_REGION = "ap-southeast-1"

KEPT = {
    "UploadBucketName": "upload bucket",
    "AssetsBucketName": "assets bucket",
    "FilesTableName": "table of images",
    "KeysTableName": "table of keys",
    "SecretsTableName": "table of signing secrets",
    "ResultsTableName": "table of results",
}
"""Outputs of what outlives the stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A stage that is there; ``key`` only if it was made just now."""

    outputs: Mapping[str, str]
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a stage is: what waits to be processed, and what waits for a person."""

    status: Status
    waiting: int
    failed: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage in one account and region, under the name ``darkroom-STAGE``."""

    name: str
    region: str
    poll_seconds: float = 2.0
    clients: Callable[[str], Any] = field(init=False)

    def __post_init__(self) -> None:
        """Make clients when they are needed, once each."""
        clients = wire.clients(self.region, longest_call_seconds=LONGEST_CALL_SECONDS)
        object.__setattr__(self, "clients", clients)

    @property
    def stack(self) -> Stack:
        """Its stack, there or not."""
        return Stack(f"darkroom-{self.name}", self.clients, poll_seconds=self.poll_seconds)

    def account(self) -> str:
        """Return whose account it is in."""
        with wire.answered("AWS"):
            return str(self.clients("sts").get_caller_identity()["Account"])

    def plan(self, folder: Path, parameters: Mapping[str, str], account: str) -> Plan:
        """Put what is packaged where CloudFormation finds it, and return what it would do."""
        bucket = f"darkroom-packages-{account}-{self.region}"
        s3 = self.clients("s3")
        with wire.answered("S3"):
            if not any(each["Name"] == bucket for each in s3.list_buckets()["Buckets"]):
                # In us-east-1 the region may not be said.
                where = {} if self.region == "us-east-1" else {"LocationConstraint": self.region}
                s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
                s3.put_public_access_block(
                    Bucket=bucket,
                    PublicAccessBlockConfiguration=dict.fromkeys(
                        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
                    ),
                )
            return self.stack.plan(folder, {"Stage": _kind(self.name)} | dict(parameters), bucket)

    def carry_out(self, plan: Plan) -> Deployed:
        """Do what was planned, and what CloudFormation cannot: the default images, and the first key."""
        with wire.answered("CloudFormation"):
            status = self.stack.carry_out(plan) if plan.changes else self.stack.status()
        outputs = status.outputs
        self._make_defaults(outputs)
        # An owner who is served by IIIF has to be able to send somebody elsewhere for a large picture.
        for owner in sorted({LOCAL_OWNER, *self.settings().iiif_owners}):
            wire.first_secret(self.clients("dynamodb"), outputs["SecretsTableName"], owner)
        self._invoke(outputs["SecretsFunctionName"], {}, "CloudFront could not be told of the signing secrets")
        access = wire.access(self.clients("dynamodb"), outputs["KeysTableName"])
        key = None if access.list() else access.add(LOCAL_OWNER, "first key", frozenset(Scope))[1]
        return Deployed(outputs=outputs, key=key)

    def make_defaults(self) -> None:
        """Have the default images made, unless they are there as they should be."""
        with wire.answered("AWS"):
            outputs = self.stack.status().outputs
        self._make_defaults(outputs)

    def _make_defaults(self, outputs: Mapping[str, str]) -> None:
        order = {"darkroom": "shelve-defaults"}
        self._invoke(outputs["TransformFunctionName"], order, "the default images could not be made")

    def _invoke(self, function: str, order: Mapping[str, str], trouble: str) -> None:
        with wire.answered("Lambda"):
            answer = self.clients("lambda").invoke(FunctionName=function, Payload=json.dumps(order).encode())
        if "FunctionError" in answer:
            msg = f"{trouble}: {answer['Payload'].read()[:500].decode(errors='replace')}"
            raise Unavailable(msg)

    def settings(self) -> CloudSettings:
        """Return what it runs with, as its transform function is told. Raises ``NotFound`` when there is none.

        Raises ``Unavailable`` while it is not deployed to the end, and for one of another release.
        """
        with wire.answered("AWS"):
            outputs = self.stack.status().outputs
            function = outputs.get("TransformFunctionName")
            if function is None:
                msg = f"{self.stack.name} is not deployed to the end; see darkroom aws status"
                raise Unavailable(msg)
            found = self.clients("lambda").get_function_configuration(FunctionName=function)
        try:
            return configuration.cloud_from_mapping(found["Environment"]["Variables"])
        except BadConfiguration as error:
            msg = f"{self.stack.name} was deployed by another release ({error.detail}); use that, or deploy this one"
            raise Unavailable(msg) from error

    def condition(self) -> Condition:
        """Return how it is. Raises ``NotFound`` when there is none."""
        with wire.answered("AWS"):
            status = self.stack.status()
            waiting, failed = (
                self._messages(status.outputs.get(name)) for name in ("TransformQueueUrl", "DeadLetterQueueUrl")
            )
            return Condition(status=status, waiting=waiting, failed=failed)

    def destroy(self) -> None:
        """Delete the stack; what is ``KEPT`` stays."""
        with wire.answered("CloudFormation"):
            self.stack.destroy()

    def _messages(self, queue: str | None) -> int:
        if queue is None:  # the stack has failed before it was there
            return 0
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)


def summary(plan: Plan) -> list[str]:
    """Return a line for each thing the plan does: ``4 AWS::Lambda::Function to add``."""
    counted = Counter((each.action.lower(), each.kind) for each in plan.changes)
    return [
        f"{count} {kind} to {action}" for (action, kind), count in sorted(counted.items(), key=lambda one: one[0][::-1])
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """US dollars a month that a stage costs while nobody uses it, at the list prices of ``region``."""

    least: float
    """In an account whose free tiers nothing else has used up."""
    most: float
    region: str


def idle(plan: Plan, region: str) -> Idle:
    """Return what a stage costs while nobody uses it: alarms, dashboards, and listening to queues.

    At the prices of another region where those of ``region`` are not known: these hardly differ.
    """
    kinds = Counter(each.kind for each in plan.changes)
    try:
        prices = load_prices(region)
    except BadConfiguration:
        prices = load_prices(PRICED_REGION)
    quantities = {
        "cloudfront.store.request": kinds["AWS::CloudFront::KeyValueStore"] * STORE_REQUESTS,
        "cloudwatch.alarm": kinds["AWS::CloudWatch::Alarm"],
        "cloudwatch.dashboard": kinds["AWS::CloudWatch::Dashboard"],
        "sqs.request": kinds["AWS::Lambda::EventSourceMapping"] * POLLS,
    }
    least, most = (
        sum(prices[key].dollars(quantity, free_tier=with_free)[1] for key, quantity in quantities.items())
        for with_free in (True, False)
    )
    return Idle(least=least, most=most, region=prices.region)


def _kind(stage: str) -> str:
    """Return which of the template's kinds of stage a name is: everything but ``prod`` is for trying."""
    return "prod" if stage == "prod" else "dev"
