"""Jobs as items of the catalog's DynamoDB table: ``j#owner`` and the id. What is old, DynamoDB removes by itself."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from darkroom import names
from darkroom.dynamodb import NEW, Condition, ConditionFailed, Table
from darkroom.errors import AlreadyExists, NotFound, VersionMoved
from darkroom.jobs import ABSENT, LISTED_MAX, MOVED, TAKEN
from darkroom.jobs.documents import from_document, to_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from darkroom.dynamodb import Item
    from darkroom.jobs import Job

_PAGE = 500
_LAST = "~"


class DynamoJobs:
    """``Jobs`` in the table ``name``, each removed ``life`` after it was created."""

    def __init__(self, client: Any, name: str, *, life: timedelta) -> None:  # noqa: ANN401 # botocore has no types
        self._table = Table(client, name)
        self._life = life

    def close(self) -> None:
        """End its threads."""
        self._table.close()

    def create(self, job: Job) -> None:
        try:
            self._table.put(self._item(job), NEW)
        except ConditionFailed as failed:
            # An answer that was lost makes the client ask again, and find what it has written itself.
            if failed.item is None or from_document(json.loads(str(failed.item["document"]))) != job:
                raise AlreadyExists(TAKEN) from failed

    def get(self, owner: str, job_id: str) -> Job | None:
        if not names.is_id(job_id):
            return None
        item = self._table.get(_pk(owner), job_id)
        return None if item is None else from_document(json.loads(str(item["document"])))

    def replace(self, job: Job, *, version: int) -> Job:
        stored = dataclasses.replace(job, version=version + 1)
        item = self._item(stored)
        condition = Condition(text="#v = :version", names={"#v": "version"}, values={":version": version})
        try:
            self._table.put(item, condition)
        except ConditionFailed as failed:
            if failed.item is None:
                raise NotFound(ABSENT) from failed
            if failed.item["document"] != item["document"]:
                raise VersionMoved(MOVED) from failed
        return stored

    def list(self, owner: str) -> Sequence[Job]:
        found: list[Job] = []
        first, more = "0", True
        while more:
            items, more = self._table.query(_pk(owner), first=first, last=_LAST, limit=_PAGE)
            found += [from_document(json.loads(str(item["document"]))) for item in items]
            first = f"{items[-1]['sk']}!" if items else first
        return sorted(found, key=lambda job: job.created_at, reverse=True)[:LISTED_MAX]

    def forget(self, owner: str, *, life: timedelta) -> None:
        """Nothing is left to do."""

    def _item(self, job: Job) -> Item:
        return {
            "pk": _pk(job.owner),
            "sk": job.id,
            "version": job.version,
            "document": json.dumps(to_document(job), separators=(",", ":"), ensure_ascii=False),
            "expires": int((job.created_at + self._life).timestamp()),
        }


def _pk(owner: str) -> str:
    return f"j#{owner}"
