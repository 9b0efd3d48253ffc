"""DynamoDB tables in the emulator, and clients that may with them what the functions of the service may, no more."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from darkroom import dynamodb
from emulator import ACCOUNT, REGION, Emulator

PREFIX = "darkroom-test-"
# What the catalog and the keys take, and nothing else: no Scan.
ACTIONS = [
    f"dynamodb:{action}"
    for action in (
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "BatchGetItem",
        "BatchWriteItem",
    )
]


class Tables:
    """Makes tables of the shape that the template gives them; ``client`` is one that is allowed ``ACTIONS`` on them."""

    def __init__(self, emulator: Emulator) -> None:
        self._root = emulator.client("dynamodb")
        credentials = emulator.allowing(
            {"Action": ACTIONS, "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{PREFIX}*"}
        )
        self.client: Any = emulator.session(credentials).client(
            "dynamodb", endpoint_url=emulator.url, config=dynamodb.CONFIG
        )

    def make(self) -> str:
        """Return the name of a new, empty table."""
        name = f"{PREFIX}{secrets.token_hex(8)}"
        self._root.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
        )
        return name

    def drop(self, name: str) -> None:
        """Remove a table."""
        self._root.delete_table(TableName=name)

    def items(self, name: str) -> list[dict[str, Any]]:
        """Return everything in a table, as DynamoDB shows it."""
        pages = self._root.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def close(self) -> None:
        """Close the connections."""
        self._root.close()
        self.client.close()


@contextmanager
def tables_in(emulator: Emulator) -> Iterator[Tables]:
    """Give ``Tables`` until the end of the ``with``."""
    made = Tables(emulator)
    try:
        yield made
    finally:
        made.close()
