"""How AWS is spoken to: clients with bounded patience, and its errors in our own words. DynamoDB has its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import botocore.config
import botocore.exceptions
import botocore.session

from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 10,
    "retries": {"mode": "standard", "total_max_attempts": 4},
}


def client(service: str, *, endpoint: str | None = None, **config: Any) -> Any:  # noqa: ANN401 # botocore has no types
    """Return a client of a service, at ``endpoint`` where that is not AWS's own; ``config`` as for botocore's.

    Region and credentials are found as every AWS tool finds them.
    """
    session = botocore.session.get_session()
    return session.create_client(service, endpoint_url=endpoint, config=botocore.config.Config(**_CONFIG | config))


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Raise ``Unavailable`` where ``what``, a service, does not answer, or does not do as it is told."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        msg = f"{what} refuses ({code_of(error)}: {error.response['Error'].get('Message', '')}); try again"
        raise Unavailable(msg) from error
    except botocore.exceptions.BotoCoreError as error:
        msg = f"{what} does not answer ({error}); try again"
        raise Unavailable(msg) from error


def code_of(error: botocore.exceptions.ClientError) -> str:
    """Return the name that a service gives an error."""
    return str(error.response.get("Error", {}).get("Code", ""))
