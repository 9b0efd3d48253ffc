"""The page of whoever runs the service: what waits, what failed and is tried again or given up, what is stored.

It is for keys of the scope ``admin``, over the images of all owners: such a key may make itself one of any owner.
What cannot be looked up is told where it would stand; the rest of the page is there all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from darkroom import failures, overview
from darkroom import figures as f
from darkroom.access import LOCAL_OWNER
from darkroom.errors import DarkroomError, InvalidRequest, NotFound, Unavailable
from darkroom.http.health import Health
from darkroom.web.one import form_of
from darkroom.web.views import label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from darkroom.cost.bill import Bill
    from darkroom.cost.measured import Counted
    from darkroom.failures import Case
    from darkroom.web.pages import Pages

SHOWN = 50
"""How many cases are on the page."""
AT_ONCE = 100
"""How many may be tried again by one press."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case in words. ``address`` is that of the image, for whose it is; ``tries`` of the event that was given up."""

    id: str
    name: str
    owner: str
    code: str
    reason: str
    tries: int
    since: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was looked up, or why it could not be."""

    value: Any = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The bills of the first month and the twelfth, if all days were as the ``days`` that were counted."""

    days: float
    first: Bill
    twelfth: Bill


def operator_routes(pages: Pages, counted: Callable[[], str] | None, elsewhere: str) -> APIRouter:
    """Return the routes; ``counted`` returns what the service has counted, ``elsewhere`` says where else to look."""
    router = APIRouter(include_in_schema=False)
    service = pages.service
    health = Health(service.check)

    async def answered(request: Request, template: str, more: Callable[[], dict[str, Any]]) -> Response:
        owner = await run_in_threadpool(pages.administrates, request)
        well = await _well(health)

        def page() -> Response:
            return pages.page(request, template, well=well, **_now(pages, owner, elsewhere), **more())

        return await run_in_threadpool(page)

    @router.get("/operator")
    @pages.shown
    async def get_operator(request: Request) -> Response:
        return await answered(request, "operator.html", lambda: _standing(pages, counted))

    @router.get("/operator/now")
    @pages.shown
    async def get_now(request: Request) -> Response:
        """Return the part of the page that changes by itself, for its script."""
        return await answered(request, "operator_now.html", dict)

    @router.post("/operator/retry")
    @pages.shown
    async def post_retry(request: Request) -> Response:
        await run_in_threadpool(pages.administrates, request)
        return await run_in_threadpool(_each, pages, request, await _ids(request), failures.retry, "tried again")

    @router.get("/operator/drop")
    @pages.shown
    def get_drop(request: Request, id: str = "") -> Response:  # noqa: A002 # as it is called in the address
        owner = pages.administrates(request)
        case = _case(pages, id, _buried(pages))
        return pages.page(request, "drop.html", case=case, row=_row(case, owner))

    @router.post("/operator/drop")
    @pages.shown
    async def post_drop(request: Request) -> Response:
        await run_in_threadpool(pages.administrates, request)
        return await run_in_threadpool(_each, pages, request, await _ids(request), failures.drop, "dropped")

    return router


# ------------------------------------------------------------------ what changes by itself


async def _well(health: Health) -> Told:
    try:
        await health.check()
    except DarkroomError as error:
        return Told(problem=error.detail)
    return Told(value=True)


def _now(pages: Pages, owner: str, elsewhere: str) -> dict[str, Any]:
    service = pages.service
    newest = _looked_up(partial(failures.newest_failed, service, SHOWN))
    graves = _looked_up(partial(service.queue.buried, SHOWN))
    return {
        "depth": _looked_up(service.queue.depth),
        "rows": _looked_up(lambda: _rows(pages, owner, newest, graves)),
        "more": newest.value is not None and newest.value.more,
        "unknown": graves.problem,
        "elsewhere": elsewhere,
        "moment": service.clock(),
    }


# ------------------------------------------------------------------ what failed


async def _ids(request: Request) -> list[str]:
    ids = list(dict.fromkeys(map(str, (await form_of(request)).getlist("id"))))
    if not 1 <= len(ids) <= AT_ONCE:
        msg = f"id: say which failed ones are meant, 1 to {AT_ONCE} of them"
        raise InvalidRequest(msg)
    return ids


def _each(pages: Pages, request: Request, ids: Sequence[str], act: Callable[..., None], done: str) -> Response:
    """Do something to each case, also after one was refused, and go back or say which were."""
    refused, graves = [], _buried(pages)
    for each in ids:
        try:
            act(pages.service, _case(pages, each, graves))
        except DarkroomError as error:
            if len(ids) == 1:
                raise
            refused.append(f"{each[:40]}: {error.detail}")
    if not refused:
        return RedirectResponse("/operator", 303)
    detail = f"{len(ids) - len(refused)} of {len(ids)} are {done}. Not so {'; '.join(refused[:5])}"
    return pages.page(request, "error.html", 409, title="Not all of it worked", detail=detail, code="conflict")


def _buried(pages: Pages) -> Told:
    """Return all buried events, looked up once for as many cases as are worked on."""
    return _looked_up(partial(pages.service.queue.buried, failures.BURIED_MAX))


def _case(pages: Pages, image_id: str, graves: Told) -> Case:
    """Return a case; without its buried events where the queue does not tell. Raises ``NotFound``, ``Unavailable``."""
    try:
        return failures.case(pages.service, image_id, graves.value or ())
    except NotFound as error:
        if graves.problem:
            raise Unavailable(graves.problem) from error
        raise


def _rows(pages: Pages, owner: str, newest: Told, graves: Told) -> list[Row]:
    images = newest.value.images if newest.value is not None else ()
    found = failures.brought_together(pages.service, images, graves.value or ())
    if newest.value is None and not found:
        raise Unavailable(newest.problem)
    return [_row(case, owner) for case in found[:SHOWN]]


def _row(case: Case, owner: str) -> Row:
    image, grave = case.image, case.buried[0] if case.buried else None
    error = None if image is None else image.error
    what = failures.work_of(grave.event) if grave is not None else ""
    return Row(
        id=case.image_id,
        name=label(image) if image is not None else case.image_id,
        owner="" if image is None else image.owner,
        code=error.code if error is not None else what,
        reason=error.detail if error is not None else grave.reason if grave is not None else "",
        tries=grave.attempts if grave is not None else 0,
        since=failures.last_moment(case).isoformat(timespec="seconds"),
        address=f"/images/{image.id}" if image is not None and image.owner == owner else "",
    )


# ------------------------------------------------------------------ what is stored, saved and paid for


def _standing(pages: Pages, counted: Callable[[], str] | None) -> dict[str, Any]:
    service = pages.service
    stored = _looked_up(lambda: overview.stored(service, _owners(pages)))
    saved = _looked_up(lambda: overview.saved(service, stored.value or ()))
    text = Told() if counted is None else _looked_up(counted)
    delivered, estimated = None, text
    if text.value is not None:
        from darkroom.cost.measured import Counted  # noqa: PLC0415 # with prices and forecasts, as in costs.py

        figures = Counted(text.value)
        estimated = _looked_up(lambda: _estimate(text.value, figures, service.clock()))
        if saved.value is not None:
            delivered = overview.delivered(figures, saved.value)
    return {
        "stored": stored,
        "most_owners": overview.MOST_OWNERS,
        "quota": service.rules.quota,
        "saved": saved,
        "delivered": delivered,
        "estimate": estimated,
    }


def _owners(pages: Pages) -> set[str]:
    """Return the owners there are keys of; without keys there is one."""
    return {LOCAL_OWNER, *(key.owner for key in pages.access.list())} if pages.access is not None else {LOCAL_OWNER}


def _estimate(text: str, figures: Counted, now: datetime) -> Estimate:
    since = figures.total(f.START_SECONDS.name)
    days = max((now.timestamp() - since) / DAY, 1 / DAY)
    from darkroom.web.estimates import estimate  # noqa: PLC0415 # likewise

    found = estimate({"days": f"{days:.6f}"}, lambda: text)
    return Estimate(days=days, first=found.months[0], twelfth=found.itemised)


def _looked_up(ask: Callable[[], Any]) -> Told:
    try:
        return Told(value=ask())
    except DarkroomError as error:
        return Told(problem=error.detail)
