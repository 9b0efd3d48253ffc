"""That the emulator does what the tests rely on: what it enforces, and where it listens."""

import secrets
from pathlib import Path

import botocore.exceptions
import pytest

from emulator import ACCOUNT, PYTHON, REGION


def test_a_role_may_what_it_was_given_and_nothing_else(emulator):
    mine, other = (f"table-{secrets.token_hex(4)}" for _ in range(2))
    root = emulator.client("dynamodb")
    for name in (mine, other):
        root.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )
    allowed = {"Action": ["dynamodb:GetItem"], "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{mine}"}
    role = emulator.client("dynamodb", emulator.allowing(allowed))
    key = {"pk": {"S": "x"}}
    assert "Item" not in role.get_item(TableName=mine, Key=key)
    for refused in (
        lambda: role.get_item(TableName=other, Key=key),
        lambda: role.put_item(TableName=mine, Item=key),
        lambda: role.scan(TableName=mine),
    ):
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            refused()
    root.close()
    role.close()


def test_a_forged_signature_is_refused(emulator):
    given = emulator.allowing({"Action": ["dynamodb:ListTables"], "Resource": "*"})
    forged = emulator.client("dynamodb", type(given)(given.key, "another secret", given.token))
    with pytest.raises(botocore.exceptions.ClientError, match="ignature"):
        forged.list_tables()
    forged.close()


def test_it_listens_on_loopback_only(emulator):
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{emulator.process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listening.add((fields[9], fields[1].partition(":")[0]))
    own = {
        link.readlink().name.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{emulator.process.pid}/fd").iterdir()
        if link.readlink().name.startswith("socket:")
    }
    assert {address for inode, address in listening if inode in own} == {"0100007F"}


def test_it_is_the_version_that_is_pinned():
    (record,) = PYTHON.parents[1].glob("lib/python*/site-packages/ministack-*.dist-info")
    pinned = Path(__file__).parents[2] / "requirements" / "emulator.in"
    assert f"ministack=={record.name.removeprefix('ministack-').removesuffix('.dist-info')}" in pinned.read_text()
