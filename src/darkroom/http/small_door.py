"""``POST /v1/images``: a form with the field ``file``, or the raw bytes, taken to a temporary file either way."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import FormParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from darkroom.errors import InvalidRequest, StorageFull, Unavailable
from darkroom.http.parameters import split_tags

if TYPE_CHECKING:
    from python_multipart.multipart import Field, File
    from starlette.requests import Request

    from darkroom.http.parameters import SmallDoorParameters
    from darkroom.http.reception import Reception

FORM_OVERHEAD = 64 * 1024
"""What a form may take on top of its file: boundaries, and the other fields."""

FIELDS = frozenset({"tags", "album", "title"})
MOST_FIELDS = 600
LONGEST_FIELD = 16 * 1024
DEFAULT_FILENAME = "image"

_BINARY = {"schema": {"type": "string", "format": "binary"}}
SMALL_DOOR_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "tags": {"type": "array", "items": {"type": "string"}, "description": "Or comma-separated."},
                        "album": {"type": "string"},
                        "title": {"type": "string"},
                    },
                }
            },
            **{f"image/{kind}": _BINARY for kind in ("jpeg", "png", "webp", "gif", "tiff", "avif", "heic", "svg+xml")},
            "application/octet-stream": _BINARY,
        },
    }
}


@dataclass(frozen=True, slots=True)
class SmallFile:
    """A file that has been received, and what was said of it: the arguments of ``Service.upload``."""

    path: Path
    said: dict[str, Any]


async def take_small_file(request: Request, reception: Reception, parameters: SmallDoorParameters) -> SmallFile:
    """Receive the body into a temporary file, which the caller removes.

    Raises ``TooLarge``, ``InvalidRequest``, and what receiving raises.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    said: dict[str, Any] = {
        "filename": parameters.filename or DEFAULT_FILENAME,
        "tags": split_tags(parameters.tag),
        "album": parameters.album,
        "title": parameters.title,
    }
    if kind != b"multipart/form-data":
        received = await reception.take(request, reception.limit)
        text = kind.decode("latin-1")
        said |= {"length": received.bytes, "content_type": text if text.startswith("image/") else None}
        return SmallFile(received.path, said)
    received = await reception.take(request, reception.limit + FORM_OVERHEAD)
    try:
        return await run_in_threadpool(_read_form, received.path, options.get(b"boundary"), said, reception.folder)
    finally:
        await run_in_threadpool(partial(received.path.unlink, missing_ok=True))


def _read_form(path: Path, boundary: bytes | None, said: dict[str, Any], folder: Path) -> SmallFile:
    if not boundary:
        msg = "the form has no boundary in its Content-Type; let the HTTP client write that header"
        raise InvalidRequest(msg)
    # The library leaves what it was writing when something fails; in a folder of its own that goes with the folder.
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        small = _parsed(path, boundary, said, Path(inner))
        return SmallFile(small.path.rename(folder / f"{Path(inner).name}-file"), small.said)


def _parsed(path: Path, boundary: bytes, said: dict[str, Any], folder: Path) -> SmallFile:
    fields: list[Field] = []
    files: list[File] = []
    parser = FormParser(
        "multipart/form-data",
        fields.append,
        files.append,
        boundary=boundary,
        config={
            "UPLOAD_DIR": str(folder),
            "UPLOAD_DELETE_TMP": False,
            "MAX_MEMORY_FILE_SIZE": 0,
            "MAX_FIELDS": MOST_FIELDS,
            "MAX_FIELD_SIZE": LONGEST_FIELD,
        },
    )
    try:
        with path.open("rb") as body:
            while chunk := body.read(64 * 1024):
                parser.write(chunk)
        parser.finalize()
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFull("there is no room left to receive this; free some and send it again") from error
        msg = f"the form cannot be written down ({error.strerror}); try again"
        raise Unavailable(msg) from error
    except FormParserError as error:
        msg = f"the form cannot be read ({error}); send multipart/form-data with a field named file"
        raise InvalidRequest(msg) from error
    finally:
        for file in files:
            file.close()
    return _of_form(fields, files, said)


def _of_form(fields: list[Field], files: list[File], said: dict[str, Any]) -> SmallFile:
    wanted = [file for file in files if file.field_name == b"file"]
    if len(wanted) != 1:
        msg = f"the form has {len(wanted)} fields named file that are files; send exactly one"
        raise InvalidRequest(msg)
    if not wanted[0].size:
        msg = "the file in the form is empty, and an empty file is no image"
        raise InvalidRequest(msg)
    texts: dict[str, list[str]] = {}
    for field in fields:
        texts.setdefault(_text(field.field_name), []).append(_text(field.value))
    unknown = texts.keys() - FIELDS
    if unknown:
        msg = f"unknown form field {min(unknown)[:40]!r}; besides file there are {', '.join(sorted(FIELDS))}"
        raise InvalidRequest(msg)
    for name in ("album", "title"):
        if name in texts:
            said[name] = texts[name][-1]
    said["tags"] += split_tags(texts.get("tags", []))
    if wanted[0].file_name:
        said["filename"] = _text(wanted[0].file_name)
    kind = wanted[0].content_type or ""
    said |= {"length": wanted[0].size, "content_type": kind if kind.startswith("image/") else None}
    return SmallFile(Path(_text(wanted[0].actual_file_name)), said)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", errors="replace")
