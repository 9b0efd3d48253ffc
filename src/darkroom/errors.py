"""One class per reaction a caller can have; each has a stable code. Status codes live in ``http/problems.py``.

``Refused`` and what is under it are permanent: the same request will fail again, and its detail is a sentence that
says what to do. ``Unavailable`` is transient: the same request may succeed later.
"""

from __future__ import annotations


class DarkroomError(Exception):
    """The root. ``code`` is stable kebab-case that programs may rely on; ``detail`` is a sentence for a person."""

    code = "internal"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class Refused(DarkroomError):
    """Permanent: what was asked cannot be done as asked."""

    code = "invalid-request"


class InvalidRequest(Refused):
    """A parameter is wrong; the detail names it."""


class NotFound(Refused):
    """There is no such thing, or it is another owner's, which is answered alike."""

    code = "not-found"


class Conflict(Refused):
    """The thing is in a state that does not allow this."""

    code = "conflict"


class OriginalDeleted(Conflict):
    """The original is gone, as the policy says, and this needs it."""

    code = "original-deleted"


class VersionMoved(Conflict):
    """Somebody wrote in between: read again, decide again."""


class AlreadyExists(Conflict):
    """Written once and not again: an object key, an image id, a used ticket."""


class TooLarge(Refused):
    """More bytes than the limits allow."""

    code = "too-large"


class UnsupportedFormat(Refused):
    """The bytes are no format this service accepts."""

    code = "unsupported-format"


class UnreadableImage(Refused):
    """An accepted format, but the file is damaged or not what its header says."""

    code = "unreadable-image"


class TooManyPixels(UnreadableImage):
    """Readable, but larger in width, height, pixels or frames than the limits allow."""

    code = "too-many-pixels"


class Unauthorized(Refused):
    """No key, or one that is not known."""

    code = "unauthorized"


class Forbidden(Refused):
    """Known, but not allowed to do this."""

    code = "forbidden"


class BadSignature(Forbidden):
    """What was signed is not what was sent."""

    code = "bad-signature"


class Expired(Forbidden):
    """Signed once, but too long ago."""

    code = "expired"


class Unavailable(DarkroomError):
    """Transient: try again in ``retry_after`` seconds."""

    code = "unavailable"

    def __init__(self, detail: str, *, code: str | None = None, retry_after: int = 5) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class RateLimited(Unavailable):
    """Too many requests for this key or too much work queued."""

    code = "rate-limited"


class OverQuota(Unavailable):
    """The owner has as much as it may have: waiting alone seldom helps, deleting does."""

    code = "over-quota"


class TooSlow(Unavailable):
    """The body came more slowly than anybody waits for; nothing of it was kept."""

    code = "too-slow"


class StorageFull(Unavailable):
    """The disk is full; nothing of the request was kept."""

    code = "storage-full"


class RenderFailed(Unavailable):
    """The process that was decoding crashed, hung or ran over its limits: worth another try, then a failure."""

    code = "render-failed"


class BadConfiguration(DarkroomError):
    """A setting or a recipe file is wrong; the detail names the variable or the line. Stops the start."""

    code = "bad-configuration"
