"""Every id, object key and public path is made and parsed here.

Ids are ULID-shaped (https://github.com/ulid/spec, in lower case): 48 bits of milliseconds since 1970, then 80 bits
from the system's secure source, 26 letters of Crockford's base 32. They sort by time, so "newest first by
(uploaded_at, id)" is simply the order of ids, and they cannot be guessed, which is what makes a delivery address a
secret as good as a key.
"""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import UTC, datetime, timedelta

from darkroom.errors import InvalidRequest

ID_LENGTH = 26
RANDOM_BYTES = 10
FIRST_ID = "0" * ID_LENGTH
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_LETTERS = frozenset(_ALPHABET)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MILLISECOND = 2**48 - 1

ORIGINALS, ARCHIVE = "originals/", "archive/"
"""What the keys in the upload bucket begin with."""
PARTS = "parts/"
"""What begins the keys of uploads that come in parts, as long as they are not put together, where they wait there."""
ASSETS, DEFAULTS = "i/", "default/"
"""What the keys in the assets bucket begin with."""
RESULTS = "t/"
"""What the names of results made on demand begin with, under their image's prefix: no variant is called that."""

UPLOAD_PREFIX = "/upload/"
"""What every path of the upload door begins with."""

FILENAME_MAX, TAG_MAX, TITLE_MAX = 255, 64, 500

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def new_id(now: datetime, randomness: bytes) -> str:
    """Return the id of a thing made at ``now`` (aware), from ``RANDOM_BYTES`` bytes of ``randomness``."""
    if len(randomness) != RANDOM_BYTES:
        msg = f"an id takes {RANDOM_BYTES} random bytes, got {len(randomness)}"
        raise ValueError(msg)
    return _encode(milliseconds(now) << 80 | int.from_bytes(randomness))


def derived_id(text: str) -> str:
    """Return an id that is the same for the same text, and no other for another; it tells no time."""
    return _encode(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]))


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970; integer arithmetic, so that making and reading an id agree to the last one."""
    return max(0, min(_LAST_MILLISECOND, (moment - _EPOCH) // timedelta(milliseconds=1)))


def moment_of(image_id: str) -> datetime:
    """Return when the id was made, to the millisecond."""
    number = 0
    for letter in image_id:
        number = number << 5 | _VALUES[letter]
    return _EPOCH + timedelta(milliseconds=number >> 80)


def first_id_at(moment: datetime) -> str:
    """Return the smallest id that could have been made at or after ``moment``: the bound of a search by date."""
    whole = milliseconds(moment)
    if _EPOCH + timedelta(milliseconds=whole) < moment and whole < _LAST_MILLISECOND:
        whole += 1
    return _encode(whole << 80)


def _encode(number: int) -> str:
    letters = []
    for _ in range(ID_LENGTH):
        letters.append(_ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(letters))


def is_id(text: str) -> bool:
    """Tell whether ``text`` has the form of an id."""
    return len(text) == ID_LENGTH and text[0] <= "7" and _LETTERS.issuperset(text)


def original_key(image_id: str) -> str:
    """Return where the original of an image lies in the upload bucket."""
    return f"{ORIGINALS}{image_id}"


def archive_key(image_id: str) -> str:
    """Return where the original goes under the policy ``archive``."""
    return f"{ARCHIVE}{image_id}"


def parse_original_key(key: str) -> str | None:
    """Return the image id of an original's key, or ``None`` for a key that is not ours."""
    return _id_after(ORIGINALS, key)


def parse_archive_key(key: str) -> str | None:
    """Return the image id of an archived original's key, or ``None`` for a key that is not ours."""
    return _id_after(ARCHIVE, key)


def parts_prefix(image_id: str) -> str:
    """Return the prefix under which the parts of an upload wait; ends with a slash."""
    return f"{PARTS}{image_id}/"


def part_key(image_id: str, number: int) -> str:
    """Return where a part of an upload waits, in the order of their numbers."""
    return f"{parts_prefix(image_id)}{number:05}"


def parse_part_key(key: str) -> tuple[str, int] | None:
    """Return image id and number of the part that lies under a key, or ``None`` for a key that is not ours."""
    image_id, _, number = key.removeprefix(PARTS).partition("/")
    whole = is_id(image_id) and number.isascii() and number.isdigit() and key == part_key(image_id, int(number[:9]))
    return (image_id, int(number)) if whole else None


def _id_after(prefix: str, key: str) -> str | None:
    image_id = key.removeprefix(prefix)
    return image_id if key.startswith(prefix) and is_id(image_id) else None


def upload_path(image_id: str) -> str:
    """Return where the door takes in the original of an image, when it has a door of ours."""
    return f"{UPLOAD_PREFIX}{image_id}"


def parse_upload_path(path: str) -> str | None:
    """Return the image id of a path of the upload door, or ``None`` for a path that is not one."""
    image_id = path.removeprefix(UPLOAD_PREFIX)
    return image_id if path.startswith(UPLOAD_PREFIX) and is_id(image_id) else None


def part_path(image_id: str, number: int) -> str:
    """Return where the door takes in one part, counted from 1, of the original of an image."""
    return f"{upload_path(image_id)}/{number}"


def parse_part_path(path: str) -> tuple[str, int] | None:
    """Return image id and number of a path of the upload door, or ``None`` for one that is not that of a part."""
    whole, _, number = path.rpartition("/")
    image_id = parse_upload_path(whole)
    known = image_id is not None and number.isascii() and number.isdigit() and len(number) <= 5
    return (image_id, int(number)) if known and image_id is not None and not number.startswith("0") else None


def asset_prefix(image_id: str) -> str:
    """Return the one prefix under which everything public of an image lies; ends with a slash."""
    return f"{ASSETS}{image_id}/"


def asset_key(image_id: str, variant: str, extension: str) -> str:
    """Return the object key of a variant, which is its public path without the leading slash."""
    return asset_prefix(image_id) + slot_name(variant, extension)


def slot_name(variant: str, extension: str) -> str:
    """Return what the object of a variant is called under its image's prefix."""
    return f"{variant}.{extension}"


def parse_asset_key(key: str) -> tuple[str, str] | None:
    """Return image id and name of an object made of an image, or ``None`` for a key that is not ours."""
    image_id, name = key[len(ASSETS) : len(ASSETS) + ID_LENGTH], key[len(ASSETS) + ID_LENGTH + 1 :]
    return (image_id, name) if is_id(image_id) and name and key == asset_prefix(image_id) + name else None


def parse_result_key(key: str) -> str | None:
    """Return the name of a result made on demand, under its image's prefix, or ``None`` for another key."""
    name = key[len(ASSETS) + ID_LENGTH + 1 :]
    return name if name.startswith(RESULTS) else None


def default_key(variant: str, extension: str) -> str:
    """Return the object key of the default image scaled like ``variant``."""
    return f"{DEFAULTS}{variant}.{extension}"


def is_variant_name(text: str) -> bool:
    """Tell whether ``text`` may name a recipe: 1 to 40 of ``a-z 0-9 -``, and not ``t``, which transformations own."""
    return 0 < len(text) <= 40 and text != "t" and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in text)


def clean_filename(text: str) -> str:
    """Return the base name of what a stranger called a file, fit to be shown and stored.

    Raises ``InvalidRequest`` when nothing is left or more than ``FILENAME_MAX`` characters are.
    """
    base = text.replace("\\", "/").rsplit("/", 1)[-1]
    cleaned = _clean(base)
    if cleaned in {"", ".", ".."}:
        msg = "filename is empty once folders and control characters are taken out; send a base name such as cat.jpg"
        raise InvalidRequest(msg)
    return _bounded(cleaned, "filename", FILENAME_MAX)


def clean_tag(text: str) -> str:
    """Return a tag or album name in NFC without control characters; raises ``InvalidRequest``."""
    cleaned = _clean(text)
    if not cleaned:
        msg = "a tag or album is empty once control characters are taken out; leave it away or give it a name"
        raise InvalidRequest(msg)
    return _bounded(cleaned, "tag or album", TAG_MAX)


def clean_tags(texts: tuple[str, ...] | list[str], limit: int) -> tuple[str, ...]:
    """Return cleaned tags in their order, each once by its folded form; raises ``InvalidRequest`` over ``limit``."""
    unique: dict[str, str] = {}
    for text in texts:
        tag = clean_tag(text)
        unique.setdefault(fold(tag), tag)
    if len(unique) > limit:
        msg = f"tags: {len(unique)} are too many; an image takes at most {limit}"
        raise InvalidRequest(msg)
    return tuple(unique.values())


def clean_title(text: str) -> str | None:
    """Return a title, or ``None`` when nothing is left of it; raises ``InvalidRequest`` when too long."""
    return clean_line(text, "title", TITLE_MAX) or None


def clean_line(text: str, what: str, limit: int) -> str:
    """Return a line of text in NFC without control characters, maybe empty.

    Raises ``InvalidRequest``, saying ``what`` it is, over ``limit`` characters.
    """
    return _bounded(_clean(text), what, limit)


def fold(text: str) -> str:
    """Return the form in which tags, albums and words are compared: NFC of the case-folded NFC text."""
    if text.isascii():  # most are
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _clean(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    kept = (c for c in normal if c not in _BIDI and unicodedata.category(c) not in {"Cc", "Cs", "Zl", "Zp"})
    return "".join(kept).strip()


def _bounded(text: str, what: str, limit: int) -> str:
    if len(text) > limit:
        msg = f"{what} has {len(text)} characters; at most {limit} are kept, so shorten it"
        raise InvalidRequest(msg)
    return text
