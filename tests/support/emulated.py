"""Things made in the AWS emulator for one test each, told apart by their names."""

from __future__ import annotations

import atexit
import secrets
from functools import cache
from typing import TYPE_CHECKING, Any

from emulator import REGION

if TYPE_CHECKING:
    from emulator import Emulator


@cache
def s3_of(emulator: Emulator) -> Any:
    """Return a client for all who need one; making one takes as long as a hundred requests."""
    client = emulator.client("s3")
    atexit.register(client.close)
    return client


def new_bucket(emulator: Emulator, *, cors_origins: tuple[str, ...] = ()) -> str:
    """Make an empty bucket and return its name; pages of ``cors_origins`` may put into it."""
    name = f"bucket-{secrets.token_hex(8)}"
    s3 = s3_of(emulator)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if cors_origins:
        rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": list(cors_origins), "AllowedHeaders": ["*"]}
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule | {"ExposeHeaders": ["ETag"]}]})
    return name
