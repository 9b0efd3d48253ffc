"""How AWS is spoken to: clients with bounded patience, and its errors in our own words. DynamoDB has its own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import botocore.config
import botocore.exceptions
import botocore.session

from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from darkroom.errors import DarkroomError

ASKED_AGAIN = timedelta(minutes=5)
"""How long credentials are used before they are asked for again: those of a person's session are renewed in time."""

_CONFIG: dict[str, Any] = {
    "connect_timeout": 2,
    "read_timeout": 10,
    "retries": {"mode": "standard", "total_max_attempts": 4},
}

NOTHING_KNOWN: Mapping[str, DarkroomError] = MappingProxyType({})


def client(service: str, *, endpoint: str | None = None, **config: Any) -> Any:  # noqa: ANN401 # botocore has no types
    """Return a client of a service, at ``endpoint`` where that is not AWS's own; ``config`` as for botocore's.

    Region and credentials are found as every AWS tool finds them.
    """
    session = botocore.session.get_session()
    return session.create_client(service, endpoint_url=endpoint, config=botocore.config.Config(**_CONFIG | config))


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What signs requests ``until`` then."""

    key: str
    secret: str
    token: str | None
    until: datetime


def credentials() -> Callable[[], Credentials]:
    """Return what tells the credentials that every AWS tool would find now: of profiles and sign-ins too.

    For libraries that are not AWS's own. Raises ``Unavailable`` when there are none.
    """
    found = botocore.session.get_session().get_credentials()
    if found is None:
        msg = "no AWS credentials; `aws sts get-caller-identity` says who you are to AWS, once there are some"
        raise Unavailable(msg)

    def current() -> Credentials:
        with answered("AWS"):
            now = found.get_frozen_credentials()
        return Credentials(
            key=now.access_key, secret=now.secret_key, token=now.token, until=datetime.now(UTC) + ASKED_AGAIN
        )

    return current


@contextmanager
def answered(what: str, known: Mapping[str, DarkroomError] = NOTHING_KNOWN) -> Iterator[None]:
    """Raise ``Unavailable`` where ``what``, a service, does not answer, or does not do as it is told.

    For the errors of the service that are ``known``, by the names it gives them, what stands there is raised.
    """
    try:
        yield
    except botocore.exceptions.ClientError as error:
        if code_of(error) in known:
            raise known[code_of(error)] from error
        msg = f"{what} refuses ({code_of(error)}: {error.response['Error'].get('Message', '')}); try again"
        raise Unavailable(msg) from error
    except botocore.exceptions.BotoCoreError as error:
        msg = f"{what} does not answer ({error}); try again"
        raise Unavailable(msg) from error


@dataclass(slots=True)
class Attempt:
    """What became of a request that may be refused."""

    refused: bool = False


@contextmanager
def unless(*codes: str) -> Iterator[Attempt]:
    """Go on where a service refuses in one of these words, and say so; raise as ``answered`` otherwise."""
    attempt = Attempt()
    try:
        with answered("AWS"):
            yield attempt
    except Unavailable as error:
        cause = error.__cause__
        if not isinstance(cause, botocore.exceptions.ClientError) or code_of(cause) not in codes:
            raise
        attempt.refused = True


def code_of(error: botocore.exceptions.ClientError) -> str:
    """Return the name that a service gives an error."""
    return str(error.response.get("Error", {}).get("Code", ""))
