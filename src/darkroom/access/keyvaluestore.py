"""The signing secrets in CloudFront's key value store, which its functions read from.

Every change names the state it was thought of for. CloudFront's places know of it within seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkroom.aws import answered, unless
from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

OVERTAKEN = ("ConflictException", "ValidationException")
"""What is said of a change that was thought of for another state; the second is said of other faults too."""
TRIES = 20
"""How often a change is thought of anew that another one came before."""
AT_ONCE = 50
"""Keys that one request may list or change."""


class KeyValueStore:
    """Texts by their names. ``client`` is that of the service ``cloudfront-keyvaluestore``."""

    def __init__(self, client: Any, arn: str) -> None:  # noqa: ANN401 # botocore has no types
        self._client = client
        self._arn = arn

    def bring_to(self, wanted: Callable[[], Mapping[str, str]]) -> None:
        """Make it hold this and nothing else. Raises ``Unavailable``.

        ``wanted`` is asked again when somebody else has changed the store meanwhile, so of several who change it at
        once the last one has asked last.
        """
        for _ in range(TRIES):
            with answered("CloudFront"):
                etag = self._client.describe_key_value_store(KvsARN=self._arn)["ETag"]
                there = dict(self._items())
            # Asked only now: whoever changes it after this moment makes the request below fail.
            if self._changed(etag, there, wanted()):
                return
        msg = "the edge is being told of other signing secrets all the time; try again"
        raise Unavailable(msg, retry_after=1)

    def _changed(self, etag: str, there: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
        puts = [{"Key": name, "Value": text} for name, text in wanted.items() if there.get(name) != text]
        deletes = [{"Key": name} for name in there if name not in wanted]
        changes = [("Deletes", one) for one in deletes] + [("Puts", one) for one in puts]
        for at in range(0, len(changes), AT_ONCE):
            part = changes[at : at + AT_ONCE]
            given = {kind: [one for each, one in part if each == kind] for kind in {kind for kind, _ in part}}
            with unless(*OVERTAKEN) as attempt:
                etag = self._client.update_keys(KvsARN=self._arn, IfMatch=etag, **given)["ETag"]
            if attempt.refused:
                return False
        return True

    def _items(self) -> Iterator[tuple[str, str]]:
        token: dict[str, str] = {}
        while True:
            page = self._client.list_keys(KvsARN=self._arn, MaxResults=AT_ONCE, **token)
            for item in page["Items"]:
                yield item["Key"], item["Value"]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}


class PublishingFunction:
    """Has a function bring the store into step: it alone has what signs such requests. Raises ``Unavailable``."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 # as above
        """``client`` is that of the service ``lambda``."""
        self._client = client
        self._name = name

    def __call__(self) -> None:
        """Return when the store holds what secrets there are."""
        with answered("Lambda"):
            answer = self._client.invoke(FunctionName=self._name, Payload=b"{}")
        if "FunctionError" in answer:
            msg = "CloudFront could not be told of the signing secrets; try again"
            raise Unavailable(msg)
