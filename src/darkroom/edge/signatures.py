"""Signed addresses of transformations: ``/i/{id}/t/{options}/{signature}.{ext}``. Pure, and the same for whoever signs
and whoever verifies.

A signature is one letter and the base64url of the first 16 bytes of HMAC-SHA256(secret, message):

- ``s``: the message is ``{id}/{options}.{ext}`` exactly as in the path.
- ``f``, a family: the same with ``*`` for the value of the one ``width=``; it holds for every width of a list.
- ``u`` alone: not signed.

Verified before any option is understood: by splits at fixed letters, in constant time. The text of the signature is
compared, not its bytes, because the last letter of a base64 text has spare bits, and one picture has one address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.names import ASSETS, ID_LENGTH, is_id
from darkroom.transform.options import AUTO, EXTENSIONS, MOST_LETTERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SIGNATURE_BYTES = 16
EXACT, FAMILY, UNSIGNED = "s", "f", "u"

MARK = "/t/"
"""What stands between id and options."""

MARK_AT = len(ASSETS) + 1 + ID_LENGTH
"""Where it stands in every path of a transformation: ids are all of one length."""

_LONGEST = MARK_AT + len(MARK) + MOST_LETTERS + 40
_SIGNATURE_LETTERS = 1 + 22
_MOST_PARTS = 32
_WIDTH = "width="


@dataclass(frozen=True, slots=True)
class SignedPath:
    """The parts of an address as they were sent; nothing in them is believed yet. ``image_id`` has the form of one."""

    image_id: str
    options: str
    signature: str
    extension: str

    def said(self, name: str) -> str | None:
        """Return the value of ``kid`` or ``exp`` as it stands there; ``None`` when there is none, or several."""
        found = [part for part in self.options.split(",", _MOST_PARTS) if part.startswith(f"{name}=")]
        return found[0].partition("=")[2] if len(found) == 1 else None


def split(path: str) -> SignedPath | None:
    """Return the parts of a percent-decoded path, or ``None`` for one that is no address of a transformation."""
    if len(path) > _LONGEST or path[MARK_AT : MARK_AT + len(MARK)] != MARK or not path.isascii():
        return None
    image_id = path[len(ASSETS) + 1 : MARK_AT]
    options, slash, last = path[MARK_AT + len(MARK) :].partition("/")
    signature, dot, extension = last.partition(".")
    if not (path.startswith(f"/{ASSETS}") and is_id(image_id) and options and slash and dot) or "/" in signature:
        return None
    if extension not in EXTENSIONS and extension != AUTO:
        return None
    return SignedPath(image_id, options, signature, extension)


def path_of(image_id: str, options: str, signature: str, extension: str) -> str:
    """Return the address, without the host."""
    return f"/{ASSETS}{image_id}{MARK}{options}/{signature}.{extension}"


def sign(secret: bytes, image_id: str, options: str, extension: str) -> str:
    """Return the signature of exactly these options."""
    return EXACT + _mac(secret, image_id, options, extension)


def sign_family(secret: bytes, image_id: str, options: str, extension: str) -> str:
    """Return the signature of these options with any width of the list; raises ``ValueError`` without one width."""
    return FAMILY + _mac(secret, image_id, _of_any_width(options)[0], extension)


def any_width(options: str, instead: str) -> str:
    """Return options of a family with ``instead`` for the width."""
    return _of_any_width(options)[0].replace(f"{_WIDTH}*", f"{_WIDTH}{instead}", 1)


def verify(path: SignedPath, secrets: Iterable[bytes], widths: Collection[str]) -> bool:
    """Tell whether one of ``secrets`` signed this; all are tried, so that time does not tell which.

    ``widths`` are those, as text, that a family's signature holds for.
    """
    kind, options, allowed = path.signature[:1], path.options, True
    if len(path.signature) != _SIGNATURE_LETTERS or kind not in {EXACT, FAMILY}:
        return False
    if kind == FAMILY:
        try:
            options, width = _of_any_width(options)
        except ValueError:
            return False
        allowed = width in widths
    good = False
    for secret in secrets:
        expected = kind + _mac(secret, path.image_id, options, path.extension)
        good |= hmac.compare_digest(expected, path.signature)
    return good and allowed


def _of_any_width(options: str) -> tuple[str, str]:
    """Return the options with ``*`` for the width, and the width."""
    parts = options.split(",", _MOST_PARTS)
    places = [at for at, part in enumerate(parts) if part.startswith(_WIDTH)]
    if len(places) != 1:
        msg = "a family takes exactly one width"
        raise ValueError(msg)
    width = parts[places[0]].removeprefix(_WIDTH)
    parts[places[0]] = f"{_WIDTH}*"
    return ",".join(parts), width


def _mac(secret: bytes, image_id: str, options: str, extension: str) -> str:
    message = f"{image_id}/{options}.{extension}".encode("ascii")
    digest = hmac.digest(secret, message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).rstrip(b"=").decode()
