"""An image as a plain document of JSON's own types and back, exactly. Pure; every database keeps these.

A member that is ``None``, false or empty is left out, and variants and objects are rows of values, their keys told from
the image's prefix on: that keeps a typical document at one kilobyte instead of one and a half.

A release reads the documents of earlier ones (what is not there has its default) and passes over members it does not
know, so a new member does not raise ``FORMAT``; a change of meaning does, and an earlier release then refuses the
document instead of misreading it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from darkroom import names
from darkroom.errors import Unavailable
from darkroom.model import Exif, Facts, Failure, Format, Image, Original, Parts, Shelved, Source, State, Variant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT = 1


def to_document(image: Image) -> dict[str, Any]:
    """Return the image as a document."""
    return _sparse(
        {
            "format": FORMAT,
            "id": image.id,
            "owner": image.owner,
            "state": image.state.value,
            "filename": image.filename,
            "uploaded_at": image.uploaded_at.isoformat(),
            "version": image.version,
            "generation": image.generation,
            "title": image.title,
            "album": image.album,
            "tags": list(image.tags),
            "focus": None if image.focus is None else list(image.focus),
            "original": image.original.value,
            "original_etag": image.original_etag,
            "promised_bytes": image.promised_bytes,
            "promised_sha256": image.promised_sha256,
            "parts": None if image.parts is None else _parts_to(image.parts),
            "from_rendition": image.from_rendition,
            "facts": None if image.facts is None else _facts_to(image.facts),
            "variants": [_variant_to(variant, names.asset_prefix(image.id)) for variant in image.variants],
            "objects": [_object_to(one) for one in image.objects],
            "asked_at": None if image.asked_at is None else image.asked_at.isoformat(),
            "error": None if image.error is None else {"code": image.error.code, "detail": image.error.detail},
            "deleted_at": None if image.deleted_at is None else image.deleted_at.isoformat(),
        }
    )


def from_document(document: Mapping[str, Any]) -> Image:
    """Return the image of a document. Raises ``Unavailable`` for one that this release cannot read."""
    if document.get("format") != FORMAT:
        msg = (
            f"an image in the catalog is of document format {document.get('format')!r}, this program reads {FORMAT}; "
            "run the release that wrote it"
        )
        raise Unavailable(msg, code="data-format")
    try:
        return _image_from(document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        msg = f"an image in the catalog cannot be read ({error!r}); run the release that wrote it"
        raise Unavailable(msg, code="data-format") from error


def _image_from(document: Mapping[str, Any]) -> Image:
    facts, error, parts = document.get("facts"), document.get("error"), document.get("parts")
    focus, asked_at, deleted_at = document.get("focus"), document.get("asked_at"), document.get("deleted_at")
    return Image(
        id=document["id"],
        owner=document["owner"],
        state=State(document["state"]),
        filename=document["filename"],
        uploaded_at=datetime.fromisoformat(document["uploaded_at"]),
        version=document["version"],
        generation=document["generation"],
        title=document.get("title"),
        album=document.get("album"),
        tags=tuple(document.get("tags", ())),
        focus=None if focus is None else (focus[0], focus[1]),
        original=Original(document["original"]),
        original_etag=document.get("original_etag"),
        promised_bytes=document.get("promised_bytes", 0),
        promised_sha256=document.get("promised_sha256"),
        parts=None if parts is None else _parts_from(parts),
        from_rendition=document.get("from_rendition", False),
        facts=None if facts is None else _facts_from(facts),
        variants=tuple(_variant_from(row, names.asset_prefix(document["id"])) for row in document.get("variants", ())),
        objects=tuple(_object_from(row) for row in document.get("objects", ())),
        asked_at=None if asked_at is None else datetime.fromisoformat(asked_at),
        error=None if error is None else Failure(code=error["code"], detail=error["detail"]),
        deleted_at=None if deleted_at is None else datetime.fromisoformat(deleted_at),
    )


def _parts_to(parts: Parts) -> dict[str, Any]:
    return {"upload": parts.upload, "token": parts.token, "bytes": parts.bytes, "until": parts.until.isoformat()}


def _parts_from(document: Mapping[str, Any]) -> Parts:
    until = datetime.fromisoformat(document["until"])
    return Parts(upload=document["upload"], token=document["token"], bytes=document["bytes"], until=until)


def _facts_to(facts: Facts) -> dict[str, Any]:
    source, exif = facts.source, facts.exif
    return _sparse({"perceptual_hash": facts.perceptual_hash, "colors": list(facts.colors)}) | {
        "source": {
            "format": source.format.value,
            "width": source.width,
            "height": source.height,
            "bytes": source.bytes,
            "sha256": source.sha256,
            "has_alpha": source.has_alpha,
            "frames": source.frames,
            **({"pages": source.pages} if source.pages != 1 else {}),
        },
        "placeholder": facts.placeholder,
        "color": facts.color,
        "exif": {
            "taken_at": exif.taken_at,
            "camera": exif.camera,
            "lens": exif.lens,
            "iso": exif.iso,
            "f_number": exif.f_number,
            "exposure": exif.exposure,
            "focal_length": exif.focal_length,
        },
    }


def _facts_from(document: Mapping[str, Any]) -> Facts:
    source, exif = document["source"], document["exif"]
    return Facts(
        source=Source(
            format=Format(source["format"]),
            width=source["width"],
            height=source["height"],
            bytes=source["bytes"],
            sha256=source["sha256"],
            has_alpha=source["has_alpha"],
            frames=source["frames"],
            pages=source.get("pages", 1),
        ),
        placeholder=document["placeholder"],
        color=document["color"],
        colors=tuple(document.get("colors", ())),
        perceptual_hash=document.get("perceptual_hash"),
        exif=Exif(
            taken_at=exif.get("taken_at"),
            camera=exif.get("camera"),
            lens=exif.get("lens"),
            iso=exif.get("iso"),
            f_number=exif.get("f_number"),
            exposure=exif.get("exposure"),
            focal_length=exif.get("focal_length"),
        ),
    )


def _variant_to(variant: Variant, prefix: str) -> list[Any]:
    key = f"./{variant.key.removeprefix(prefix)}" if variant.key.startswith(prefix) else f"/{variant.key}"
    return [variant.name, variant.format.value, variant.width, variant.height, variant.bytes, key]


def _variant_from(row: Sequence[Any], prefix: str) -> Variant:
    key = row[5]
    return Variant(
        name=row[0],
        format=Format(row[1]),
        width=row[2],
        height=row[3],
        bytes=row[4],
        key=f"{prefix}{key.removeprefix('./')}" if key.startswith("./") else key.removeprefix("/"),
    )


def _object_to(one: Shelved) -> list[str]:
    return [one.name] if one.checksum is None else [one.name, one.checksum]


def _object_from(row: Sequence[str]) -> Shelved:
    return Shelved(name=row[0], checksum=row[1] if len(row) > 1 else None)


def _sparse(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None and value is not False and value != []}
