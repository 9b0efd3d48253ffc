"""The contract's calls, one method each."""

from __future__ import annotations

import hashlib
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

from darkroom.client.addresses import DEFAULT_WIDTHS, options_of, picture, srcset
from darkroom.client.answers import (
    Changes,
    Criteria,
    Image,
    Key,
    Labels,
    Page,
    PartedTicket,
    Rate,
    Recipe,
    SigningSecret,
    Usage,
    any_ticket,
)
from darkroom.client.connection import Call, Connection, Patience
from darkroom.client.errors import ApiError, Damaged, UnexpectedAnswer
from darkroom.client.library import Job, Label, Likeness, line_of
from darkroom.client.sending import Sending, chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    import httpx

TIMEOUT_SECONDS = 60.0
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS, POLL_GROWTH = 0.05, 1.0, 1.3
LONGEST_PREFERRED_WAIT = 20
"""Seconds: the longest ``Prefer: wait`` that the contract grants."""

LABELS_PER_PAGE = 1_000

_Answer = TypeVar("_Answer")


class Client:
    """One server, one key. Several threads may use a client at once; close it, or use it in a ``with``."""

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        ``timeout`` is the longest silence, in seconds, of a connection. Raises ``ValueError`` for an address or a key
        that can be none.
        """
        self._connection = Connection(
            base_url, key, timeout=timeout, patience=patience or Patience(), transport=transport
        )

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def upload(
        self,
        source: Path | bytes,
        labels: Labels | None = None,
        *,
        filename: str | None = None,
        wait: float = 0.0,
        sent: Callable[[int], None] | None = None,
    ) -> Image:
        """Upload an image of any allowed size by a ticket, in parts if it is long, and return it as far as it has come.

        ``wait`` is how many seconds to wait until it is ready or failed: look at ``state``. ``filename`` is that of
        ``source`` unless given (``upload`` for bytes). ``sent`` is told the bytes that went out, and a negative
        number when an attempt is begun again. Raises ``SourceChanged``, and ``OSError`` when the file cannot be read.
        """
        size = _size_of(source)
        told: dict[str, Any] = {
            "filename": filename or _name_of(source),
            "bytes": size,
            "sha256": sha256_of(source),
            **(labels or Labels()).as_json(),
        }
        opened = self._send(
            Call(method="POST", url="v1/uploads", json=told, headers=_idempotency_key(), repeatable=True)
        )
        ticket = _parsed(any_ticket, opened)
        sending = Sending(source=source, size=size, send=self._send, sent=sent or _ignore)
        if isinstance(ticket, PartedTicket):
            self._send_parts(sending, ticket)
        else:
            sending.whole(ticket)
        return self.settled(ticket.id, wait)

    def resume(
        self, image_id: str, source: Path | bytes, *, wait: float = 0.0, sent: Callable[[int], None] | None = None
    ) -> Image:
        """Go on with an upload in parts of the same ``source`` where it stopped, whoever began it; else as ``upload``.

        Raises ``ApiError`` when there is none (404), or it is too old (403).
        """
        sending = Sending(source=source, size=_size_of(source), send=self._send, sent=sent or _ignore)
        with _complete_already():
            self._send_parts(sending, self._ticket_of(image_id))
        return self.settled(image_id, wait)

    def _send_parts(self, sending: Sending, ticket: PartedTicket) -> None:
        with _complete_already():
            sending.in_parts(ticket, lambda: self._ticket_of(ticket.id))

    def _ticket_of(self, image_id: str) -> PartedTicket:
        return _parsed(PartedTicket.from_json, self._send(_read(f"v1/uploads/{quote(image_id, safe='')}")))

    def upload_small(
        self,
        source: Path | bytes,
        labels: Labels | None = None,
        *,
        filename: str | None = None,
        wait: float = 0.0,
    ) -> Image:
        """Upload a small image in one request. As ``upload``, but what is no image is refused at once: ``ApiError``."""
        preferred = min(round(wait), LONGEST_PREFERRED_WAIT)
        size = _size_of(source)
        began = time.monotonic()
        answer = self._send(
            Call(
                method="POST",
                url="v1/images",
                parameters=[("filename", filename or _name_of(source)), *(labels or Labels()).as_parameters()],
                headers={
                    **_idempotency_key(),
                    **({"Prefer": f"wait={preferred}"} if preferred else {}),
                    "Content-Length": str(size),
                    "Content-Type": "application/octet-stream",
                },
                body=lambda: chunks(source, 0, size, last=True),
                repeatable=True,
            )
        )
        image = _parsed(Image.from_json, answer)
        left = wait - (time.monotonic() - began)
        return image if image.settled or left <= 0 else self.settled(image.id, left)

    def settled(self, image_id: str, wait: float) -> Image:
        """Return the image once it is ready or failed, or as it is after ``wait`` seconds."""
        deadline = time.monotonic() + wait
        pause = FIRST_POLL_SECONDS
        while True:
            image = self.get(image_id)
            left = deadline - time.monotonic()
            if image.settled or left <= 0:
                return image
            self._connection.patience.pause(min(pause, left))
            pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)

    def get(self, image_id: str) -> Image:
        """Return one image."""
        return _parsed(Image.from_json, self._send(_read(_image_url(image_id))))

    def page(self, criteria: Criteria | None = None, *, limit: int | None = None, cursor: str | None = None) -> Page:
        """Return one page of a search, newest first; ``limit`` is the most items of it."""
        parameters = (criteria or Criteria()).as_parameters()
        parameters += [("limit", str(limit))] if limit is not None else []
        parameters += [("cursor", cursor)] if cursor is not None else []
        return _parsed(Page.from_json, self._send(_read("v1/images", parameters)))

    def search(self, criteria: Criteria | None = None, *, page_limit: int | None = None) -> Iterator[Image]:
        """Yield every image that a search finds, in its order, asking for page after page as they are needed."""
        cursor = None
        while True:
            page = self.page(criteria, limit=page_limit, cursor=cursor)
            yield from page.items
            if page.next is None:
                return
            cursor = page.next

    def similar(self, image_id: str, *, limit: int = 50) -> list[Likeness]:
        """Return the ready images that are copies of this one: of the same bytes first, then the nearest."""
        call = _read(f"{_image_url(image_id)}/similar", [("limit", str(limit))])
        return _parsed(_items_of(Likeness.from_json), self._send(call))

    def bulk(
        self,
        action: str,
        of: Criteria | Sequence[str],
        *,
        tags: Iterable[str] = (),
        album: str | None = None,
        from_rendition: bool = False,
        dry_run: bool = False,
    ) -> Job:
        """Begin work on the images of a search, or of up to 1,000 ids; ``dry_run`` only counts them.

        ``action`` is ``add_tags``, ``remove_tags``, ``set_album``, ``reprocess`` or ``delete``.
        """
        told: dict[str, Any] = {"action": action, "dry_run": dry_run}
        told |= {"search": line_of(of)} if isinstance(of, Criteria) else {"ids": list(of)}
        told |= {"tags": list(tags)} | ({"album": album} if album else {})
        told |= {"from": "rendition"} if from_rendition else {}
        call = Call(method="POST", url="v1/bulk", json=told, headers=_idempotency_key(), repeatable=True)
        return _parsed(Job.from_json, self._send(call))

    def job(self, job_id: str) -> Job:
        """Return a job as far as it has come."""
        return _parsed(Job.from_json, self._send(_read(_job_url(job_id))))

    def jobs(self) -> list[Job]:
        """Return the latest jobs, the newest first."""
        return _parsed(_items_of(Job.from_json), self._send(_read("v1/jobs")))

    def stop_job(self, job_id: str) -> Job:
        """Have a job do nothing more; what was done stays done."""
        return _parsed(Job.from_json, self._send(Call(method="DELETE", url=_job_url(job_id), repeatable=True)))

    def finished(self, job: Job, *, told: Callable[[Job], None] = lambda _: None) -> Job:
        """Return a job once it is over; ``told`` is shown it as it goes on."""
        pause = FIRST_POLL_SECONDS
        while not job.over:
            told(job)
            self._connection.patience.pause(pause)
            pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)
            job = self.job(job.id)
        return job

    def tags(self, prefix: str = "") -> Iterator[Label]:
        """Yield the tags of ready images that begin with ``prefix``, in the order of their names."""
        return self._labels("v1/tags", prefix)

    def albums(self, prefix: str = "") -> Iterator[Label]:
        """Yield the albums of ready images, as ``tags``."""
        return self._labels("v1/albums", prefix)

    def _labels(self, url: str, prefix: str) -> Iterator[Label]:
        cursor: str | None = ""
        while cursor is not None:
            parameters = [("limit", str(LABELS_PER_PAGE)), ("prefix", prefix), ("cursor", cursor)]
            answer = self._send(_read(url, parameters))
            yield from _parsed(_items_of(Label.from_json), answer)
            cursor = _parsed(lambda data: data["next"], answer)

    def patch(self, image_id: str, changes: Changes, *, version: int | None = None) -> Image:
        """Change what is said of an image; with ``version`` only if it is still that one (else ``ApiError`` 412)."""
        call = Call(
            method="PATCH",
            url=_image_url(image_id),
            json=changes,
            headers=_if_match(version),
            repeatable=changes.keys() <= {"add_tags", "remove_tags"},  # adding a tag twice is adding it
        )
        return _parsed(Image.from_json, self._send(call))

    def delete(self, image_id: str, *, version: int | None = None) -> None:
        """Delete an image for good; ``version`` as of ``patch``."""
        self._send(Call(method="DELETE", url=_image_url(image_id), headers=_if_match(version)))

    def reprocess(self, image_id: str, *, from_rendition: bool = False) -> Image:
        """Have the variants made anew: from the original, or with ``from_rendition`` from what was made of it."""
        return _parsed(
            Image.from_json,
            self._send(
                Call(
                    method="POST",
                    url=f"{_image_url(image_id)}/reprocess",
                    parameters=[("from", "rendition")] if from_rendition else (),
                    repeatable=True,
                )
            ),
        )

    def has_original(self, image_id: str) -> bool:
        """Tell whether the original is there to be had: it has arrived, and it was not removed after processing."""
        try:
            with self._connection.stream(f"{_image_url(image_id)}/original", with_key=True):
                return True
        except ApiError as error:
            if error.status in {404, 409}:
                return False
            raise

    def original(self, image_id: str, target: BinaryIO, *, sha256: str | None = None) -> None:
        """Write the original into ``target``. On an error ``target`` holds what had come until then.

        Raises ``Damaged`` when its checksum is not ``sha256``, in lower-case hex, as ``Image.source`` has it.
        """
        digest = hashlib.sha256()
        with self._connection.stream(f"{_image_url(image_id)}/original", with_key=True) as pieces:
            for piece in pieces:
                digest.update(piece)
                target.write(piece)
        if sha256 not in {None, digest.hexdigest()}:
            msg = f"the original of {image_id} came with other bytes than were uploaded; try again"
            raise Damaged(msg)

    def download(self, url: str, target: BinaryIO) -> None:
        """Write the public bytes behind a variant's ``url`` into ``target``; as ``original``."""
        with self._connection.stream(url, with_key=False) as pieces:
            target.writelines(pieces)

    def variants(self) -> list[Recipe]:
        """Return the configured recipes."""
        return _parsed(_items_of(Recipe.from_json), self._send(_read("v1/variants")))

    def limits(self) -> dict[str, Any]:
        """Return what the server accepts at most, as it tells it."""
        return _parsed(dict[str, Any], self._send(_read("v1/limits")))

    def usage(self) -> Usage:
        """Return what the owner of the key has, and how much it may have."""
        return _parsed(Usage.from_json, self._send(_read("v1/usage")))

    def figures(self) -> str:
        """Return what the service has counted, as text in the format of Prometheus; takes the scope ``admin``."""
        return self._send(_read("metrics")).text

    def health(self) -> None:
        """Return when catalog and buckets answer; raises ``ApiError`` when they do not."""
        self._send(_read("healthz"))

    def sign(self, image_id: str, options: str, ext: str, *, expires_in: int | None = None) -> str:
        """Have the address of a transformation signed; ``options`` as they stand in it. So a client is a ``Signer``."""
        told: dict[str, Any] = {"id": image_id, "options": options, "ext": ext, "expires_in": expires_in}
        call = Call(method="POST", url="v1/sign", json=told, repeatable=True)
        return _parsed(lambda data: str(data["url"]), self._send(call))

    def url(self, image_id: str, *, ext: str = "auto", expires_in: int | None = None, **options: object) -> str:
        """Return the signed address of a transformation: ``client.url(id, width=640, fit="cover")``."""
        return self.sign(image_id, options_of(**options), ext, expires_in=expires_in)

    def srcset(self, image_id: str, *, widths: Sequence[int] = DEFAULT_WIDTHS, **options: object) -> str:
        """Return a ``srcset``; ``ext``, ``expires_in`` and options as of ``url``. One request for each width."""
        return srcset(self, image_id, widths=widths, **options)  # type: ignore[arg-type]  # as the function takes them

    def picture(self, image: Image, *, alt: str, sizes: str = "100vw", **options: object) -> str:
        """Return a ready ``<picture>``; ``widths``, ``expires_in`` and options as of ``srcset``."""
        return picture(self, image, alt=alt, sizes=sizes, **options)  # type: ignore[arg-type]  # likewise

    def list_secrets(self) -> list[SigningSecret]:
        """Return all signing secrets, without their texts. Needs an admin key, as the next two do."""
        return _parsed(_items_of(SigningSecret.from_json), self._send(_read("v1/secrets")))

    def add_secret(self, owner: str) -> SigningSecret:
        """Make a signing secret and return it with its text, which is never to be had again."""
        call = Call(method="POST", url="v1/secrets", json={"owner": owner})
        return _parsed(SigningSecret.from_json, self._send(call))

    def retire_secret(self, secret_id: str) -> None:
        """Have nothing be answered any more that this secret signed."""
        self._send(Call(method="DELETE", url=f"v1/secrets/{quote(secret_id, safe='')}"))

    def list_keys(self) -> list[Key]:
        """Return all API keys, without their texts. Needs an admin key, as the next two do."""
        return _parsed(_items_of(Key.from_json), self._send(_read("v1/keys")))

    def add_key(self, name: str, *, owner: str, scopes: Iterable[str], rate: Rate | None = None) -> Key:
        """Make an API key and return it with its text, which is never to be had again.

        Without ``rate`` it may call as often as the server lets all keys.
        """
        told: dict[str, Any] = {"owner": owner, "name": name, "scopes": list(scopes)}
        if rate is not None:
            told["rate"] = {"per_second": rate.per_second, "burst": rate.burst}
        return _parsed(Key.from_json, self._send(Call(method="POST", url="v1/keys", json=told)))

    def revoke_key(self, key_id: str) -> None:
        """Make a key unknown from now on."""
        self._send(Call(method="DELETE", url=f"v1/keys/{quote(key_id, safe='')}"))

    def _send(self, call: Call) -> httpx.Response:
        return self._connection.send(call)


def sha256_of(source: Path | bytes) -> str:
    """Return the checksum by which a server knows an original, in lower-case hex; raises ``OSError``."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parsed(read: Callable[[Any], _Answer], response: httpx.Response) -> _Answer:
    try:
        return read(response.json())
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        url = str(response.request.url)
        msg = f"{url} did not answer as a Darkroom server does; is the address right?"
        raise UnexpectedAnswer(msg) from error


def _items_of(read: Callable[[Any], _Answer]) -> Callable[[Any], list[_Answer]]:
    return lambda data: [read(item) for item in data["items"]]


def _read(url: str, parameters: Iterable[tuple[str, str]] = ()) -> Call:
    return Call(method="GET", url=url, parameters=parameters, repeatable=True)


def _image_url(image_id: str) -> str:
    return f"v1/images/{quote(image_id, safe='')}"


def _job_url(job_id: str) -> str:
    return f"v1/jobs/{quote(job_id, safe='')}"


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _idempotency_key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def _name_of(source: Path | bytes) -> str:
    # A name that is no text (bytes of another encoding) becomes one that is, or JSON could not carry it.
    return source.name.encode(errors="replace").decode() if isinstance(source, Path) else "upload"


def _size_of(source: Path | bytes) -> int:
    return source.stat().st_size if isinstance(source, Path) else len(source)


@contextmanager
def _complete_already() -> Iterator[None]:
    """Be content when somebody else, or an earlier attempt, has completed the upload."""
    try:
        yield
    except ApiError as error:
        if error.status != 412:
            raise


def _ignore(_count: int) -> None:
    pass
