"""A stack on AWS as CloudFormation makes it: from a folder that ``make package`` has written, and nothing else.

No SAM command line: CloudFormation itself does SAM's transform, and what is left of ``sam deploy`` is to put four files
into a bucket under the names of their contents.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import botocore.exceptions

from darkroom.errors import BadConfiguration, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PACKAGES = ("api.zip", "transform.zip", "secrets.zip")
TEMPLATE = "template.yaml"
POLL_SECONDS = 2.0
LONGEST_SECONDS = 3600.0
"""CloudFront takes minutes; a stack that takes an hour hangs."""

_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class Clients(Protocol):
    """Gives a client of an AWS service: ``botocore`` sessions' ``create_client``, or what stands for it."""

    def __call__(self, service: str, /) -> Any:  # noqa: ANN401 # botocore has no types
        """Return a client of ``service``, in the region of the stack."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What CloudFormation is going to do to a resource."""

    action: str
    logical_id: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change set that waits to be carried out; no changes when the stack is as it should be already."""

    change_set: str
    creates: bool
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A stack that is there: CloudFormation's word for it, and the outputs of its template."""

    word: str
    outputs: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """One stage's stack. Raises ``BadConfiguration`` for what AWS refuses, in its words; ``Unavailable`` else."""

    def __init__(self, name: str, clients: Clients, *, poll_seconds: float = POLL_SECONDS) -> None:
        self.name = name
        self._clients = clients
        self._poll_seconds = poll_seconds

    def status(self) -> Status:
        """Return how the stack is. Raises ``NotFound`` when there is none."""
        try:
            (stack,) = self._cloudformation().describe_stacks(StackName=self.name)["Stacks"]
        except botocore.exceptions.ClientError as error:
            if "does not exist" in str(error):
                msg = f"there is no stack {self.name}"
                raise NotFound(msg) from error
            raise _refused(error) from error
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        return Status(word=stack["StackStatus"], outputs=outputs)

    def plan(self, folder: Path, parameters: Mapping[str, str], bucket: str) -> Plan:
        """Put what is packaged in ``folder`` into ``bucket``, and ask CloudFormation what it would change.

        A parameter that is not given keeps its value, or takes the default the first time.
        """
        url = self._publish(folder, bucket)
        try:
            before = self.status().word
        except NotFound:
            before = "REVIEW_IN_PROGRESS"
        creates = before == "REVIEW_IN_PROGRESS"
        client = self._cloudformation()
        change_set = f"darkroom-{time.time_ns()}"
        try:
            client.create_change_set(
                StackName=self.name,
                ChangeSetName=change_set,
                ChangeSetType="CREATE" if creates else "UPDATE",
                TemplateURL=url,
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                Parameters=self._parameters(client, url, parameters, creates=creates),
            )
        except botocore.exceptions.ClientError as error:
            raise _refused(error) from error
        return self._planned(client, change_set, creates=creates)

    def carry_out(self, plan: Plan) -> Status:
        """Do what was planned, and return when it is done. Raises ``Unavailable`` with the reasons if it failed."""
        self._cloudformation().execute_change_set(StackName=self.name, ChangeSetName=plan.change_set)
        status = self._settled()
        if status.word not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            msg = f"the stack {self.name} is {status.word}: {self._reasons() or 'CloudFormation says no reason'}"
            raise Unavailable(msg)
        return status

    def destroy(self) -> None:
        """Delete the stack, and return when it is gone; buckets and tables stay."""
        self._cloudformation().delete_stack(StackName=self.name)
        try:
            status = self._settled()
        except NotFound:
            return
        if status.word != "DELETE_COMPLETE":
            msg = f"the stack {self.name} is {status.word}: {self._reasons() or 'CloudFormation says no reason'}"
            raise Unavailable(msg)

    def _publish(self, folder: Path, bucket: str) -> str:
        """Upload packages and template, and return the template's url."""
        s3 = self._clients("s3")
        try:
            text = (folder / TEMPLATE).read_text(encoding="utf-8")
            for name in PACKAGES:
                body = (folder / name).read_bytes()
                key = f"{hashlib.sha256(body).hexdigest()[:32]}/{name}"
                s3.put_object(Bucket=bucket, Key=key, Body=body)
                text = text.replace(f"CodeUri: {name}\n", f"CodeUri: s3://{bucket}/{key}\n")
        except FileNotFoundError as error:
            msg = f"{error.filename} is not there; run `make package` first"
            raise BadConfiguration(msg) from error
        key = f"{hashlib.sha256(text.encode()).hexdigest()[:32]}/{TEMPLATE}"
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
        return f"{s3.meta.endpoint_url}/{bucket}/{key}"

    def _parameters(
        self,
        client: Any,  # noqa: ANN401 # botocore has no types
        url: str,
        given: Mapping[str, str],
        *,
        creates: bool,
    ) -> list[dict[str, Any]]:
        known = [each["ParameterKey"] for each in client.get_template_summary(TemplateURL=url)["Parameters"]]
        unknown = sorted(given.keys() - set(known))
        if unknown:
            msg = f"the template has no parameter {unknown[0]}; it has {', '.join(sorted(known))}"
            raise BadConfiguration(msg)
        kept = set() if creates else self._had(client) - given.keys()
        # What packaging sets comes with each package.
        kept -= {"Architecture", "Recipes", "DefaultImage", "DefaultImagePath"}
        said = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
        return [*said, *({"ParameterKey": name, "UsePreviousValue": True} for name in known if name in kept)]

    def _had(self, client: Any) -> set[str]:  # noqa: ANN401 # botocore has no types
        (stack,) = client.describe_stacks(StackName=self.name)["Stacks"]
        return {each["ParameterKey"] for each in stack.get("Parameters", [])}

    def _planned(self, client: Any, change_set: str, *, creates: bool) -> Plan:  # noqa: ANN401 # botocore has no types
        described = self._poll(
            lambda: client.describe_change_set(StackName=self.name, ChangeSetName=change_set),
            lambda found: not found["Status"].endswith(("PENDING", "IN_PROGRESS")),
        )
        changes = tuple(
            Change(
                action=each["ResourceChange"]["Action"],
                logical_id=each["ResourceChange"]["LogicalResourceId"],
                kind=each["ResourceChange"]["ResourceType"],
            )
            for each in described.get("Changes", [])
        )
        if described["Status"] == "FAILED":
            client.delete_change_set(StackName=self.name, ChangeSetName=change_set)
            reason = described.get("StatusReason", "CloudFormation says no reason")
            if any(words in reason for words in _NO_CHANGES):
                return Plan(change_set=change_set, creates=False)
            raise BadConfiguration(reason)
        return Plan(change_set=change_set, creates=creates, changes=changes)

    def _settled(self) -> Status:
        status: Status = self._poll(self.status, lambda found: not found.word.endswith("IN_PROGRESS"))
        return status

    def _poll(self, ask: Callable[[], Any], is_done: Callable[[Any], bool]) -> Any:  # noqa: ANN401 # botocore's answers
        until = time.monotonic() + LONGEST_SECONDS
        while not is_done(found := ask()):
            if time.monotonic() > until:
                msg = f"the stack {self.name} has not come to rest in an hour; look at it in the console"
                raise Unavailable(msg)
            time.sleep(self._poll_seconds)
        return found

    def _reasons(self) -> str:
        events = self._cloudformation().describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [each for each in events if each["ResourceStatus"].endswith("FAILED")]
        return "; ".join(f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}" for each in failed[:5])

    def _cloudformation(self) -> Any:  # noqa: ANN401 # botocore has no types
        return self._clients("cloudformation")


def _refused(error: botocore.exceptions.ClientError) -> BadConfiguration:
    return BadConfiguration(str(error.response.get("Error", {}).get("Message", error)))
