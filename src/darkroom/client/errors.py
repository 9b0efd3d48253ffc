"""What can go wrong between a program and a Darkroom server, by how the program reacts to it."""

from __future__ import annotations


class ClientError(Exception):
    """The root. Its text is a sentence for a person."""


class Unreachable(ClientError):
    """No answer: nobody listens, the name is unknown, the connection broke off or stayed silent too long."""


class UnexpectedAnswer(ClientError):
    """Somebody answered, but not as the contract says: it is no Darkroom server, or one of another version."""


class SourceChanged(ClientError):
    """The file was not the same while it was being sent as when it was measured. Nothing was uploaded."""


class Damaged(ClientError):
    """What came is not what is known to be there: it was damaged on the way."""


class ApiError(ClientError):
    """The server refused.

    ``status`` is HTTP's, ``code`` the contract's stable kebab-case, ``detail`` a sentence that says what to do, and
    ``retry_after`` the seconds after which the server asked to be tried again, or ``None``.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
