"""What becomes of an address of a transformation: one table for the Python of one machine and CloudFront's function.

Secrets are made anew each time. ``Outcome`` is the key of the result that is asked for, or one of the words below.
"""

import asyncio
import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from darkroom.access.signing import make_secret
from darkroom.edge.answers import Absence, Answer, Lifetimes
from darkroom.edge.pool import Pool
from darkroom.edge.signatures import UNSIGNED, path_of, sign, sign_family
from darkroom.edge.transformations import Demand, TransformationRules, Transformations
from darkroom.errors import Unavailable
from darkroom.model import Facts, Format, Image, Source, State
from darkroom.results.memory import MemoryResults
from darkroom.settings import CloudSettings
from truths import ID

OTHER_ID = "01k3v9m0c4qdhsyx7g6e8rb2v0"
NOW = 1_900_000_000
FUTURE, PAST = NOW + 100, NOW - 1
WIDTHS = CloudSettings.model_fields["srcset_widths"].default

BAD, EXPIRED, WRONG = "bad-signature", "expired", "invalid-request"
"""Not signed for this; signed until a moment that has passed; signed, and an option is not right."""

MADE_AT = datetime.fromtimestamp(NOW, UTC)
LIVE, OLDER, RETIRED = (make_secret("local", MADE_AT) for _ in range(3))
SECRETS = (OLDER, LIVE)
OPEN = frozenset({(64, None), (120, 90), (None, 33)})
"""Sizes that need no signature."""

Outcome = str


def own(options: str, ext: str = "jpg", *, secret=LIVE, image_id: str = ID, family: bool = False) -> str:
    """Return an address that is signed by a secret, whatever its options are."""
    options = options.replace("KID", f"kid={secret.id}")
    signed = (sign_family if family else sign)(secret.secret, image_id, options, ext)
    return path_of(image_id, options, signed, ext)


def unsigned(options: str, ext: str = "jpg") -> str:
    """Return an address that nobody has signed."""
    return path_of(ID, options.replace("KID", f"kid={LIVE.id}"), UNSIGNED, ext)


def key(name: str, image_id: str = ID) -> Outcome:
    """Return the key of a result."""
    return f"i/{image_id}/t/{name}"


def _without_last(path: str) -> str:
    stem, _, extension = path.rpartition(".")
    return f"{stem[:-1]}.{extension}"


def _spare_bits(path: str) -> str:
    """Return the same signature in another spelling: the last letter of 16 bytes in base 64 has four bits to spare."""
    stem, _, extension = path.rpartition(".")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return f"{stem[:-1]}{letters[letters.index(stem[-1]) + 1]}.{extension}"


def _twice(path: str) -> str:
    return path + "/" + path.rpartition("/")[2]


GOOD = own("width=640,height=480,fit=cover,KID")
FAMILY = own("width=640,height=480,fit=cover,KID", family=True)

TABLE: dict[str, tuple[str, Outcome]] = {
    "exact": (GOOD, key("width=640,height=480,fit=cover.jpg")),
    "exact, another format": (own("width=64,KID", "webp"), key("width=64.webp")),
    "exact, of two live secrets the older": (own("width=64,KID", secret=OLDER), key("width=64.jpg")),
    "exact, another image": (own("width=64,KID", image_id=OTHER_ID), key("width=64.jpg", OTHER_ID)),
    "no secret named, of two": (own("width=64"), key("width=64.jpg")),
    "no secret named, the older": (own("width=64", secret=OLDER), key("width=64.jpg")),
    "no secret named, a family": (own("width=160", family=True), key("width=160.jpg")),
    "family": (FAMILY, key("width=640,height=480,fit=cover.jpg")),
    "family, another width of the list": (
        FAMILY.replace("width=640", "width=1280"),
        key("width=1280,height=480,fit=cover.jpg"),
    ),
    "until a moment to come": (own(f"width=64,KID,exp={FUTURE}"), key("width=64.jpg")),
    "until a moment to come, a family": (own(f"exp={FUTURE},width=160,KID", family=True), key("width=160.jpg")),
    # ---- not signed
    "retired secret": (own("width=64,KID", secret=RETIRED), BAD),
    "chance": (
        path_of(ID, f"width=64,kid={LIVE.id}", sign(RETIRED.secret, ID, f"width=64,kid={LIVE.id}", "jpg"), "jpg"),
        BAD,
    ),
    "secret of another name": (GOOD.replace(LIVE.id, OLDER.id), BAD),
    "for another image": (GOOD.replace(ID, OTHER_ID), BAD),
    "for another format": (GOOD.replace(".jpg", ".png"), BAD),
    "for one format, and negotiated": (GOOD.replace(".jpg", ".auto"), BAD),
    "another order than was signed": (GOOD.replace("width=640,height=480", "height=480,width=640"), BAD),
    "another size": (GOOD.replace("640", "641"), BAD),
    "one option more": (GOOD.replace("fit=cover", "fit=cover,blur=5"), BAD),
    "family, a width that is not in the list": (FAMILY.replace("width=640", "width=641"), BAD),
    "family, a width of the list spelled otherwise": (FAMILY.replace("width=640", "width=0640"), BAD),
    "family, two widths": (FAMILY.replace("width=640", "width=640,width=320"), BAD),
    "family, the width as it is signed": (FAMILY.replace("width=640", "width=*"), BAD),
    "family, another height": (FAMILY.replace("480", "481"), BAD),
    "a family's letter on an exact signature": (GOOD.replace("/s", "/f"), BAD),
    "an exact letter on a family's signature": (FAMILY.replace("/f", "/s"), BAD),
    # ---- of a size that needs no signature
    "without a signature": (unsigned("width=64"), key("width=64.jpg")),
    "without a signature, another format": (unsigned("width=64", "webp"), key("width=64.webp")),
    "without a signature, both sides": (unsigned("height=90,width=120"), key("width=120,height=90.jpg")),
    "without a signature, a fit": (unsigned("width=120,height=90,fit=fill"), key("width=120,height=90,fit=fill.jpg")),
    "without a signature, a gravity": (
        unsigned("width=120,height=90,fit=cover,gravity=entropy"),
        key("width=120,height=90,fit=cover,gravity=entropy.jpg"),
    ),
    "without a signature, a point that has a name": (
        unsigned("width=120,height=90,fit=cover,gravity=1:0"),
        key("width=120,height=90,fit=cover,gravity=northeast.jpg"),
    ),
    "without a signature, a point where nothing is cut off": (
        unsigned("width=64,gravity=0.3:0.3"),
        key("width=64.jpg"),
    ),
    "without a signature, multiplied": (unsigned("width=32,dpr=2"), key("width=64.jpg")),
    "without a signature, the height alone": (unsigned("height=33"), key("height=33.jpg")),
    "without a signature, a secret named": (unsigned("width=64,KID"), key("width=64.jpg")),
    "without a signature, until a moment to come": (unsigned(f"width=64,exp={FUTURE}"), key("width=64.jpg")),
    "without a signature, until a moment that has passed": (unsigned(f"width=64,exp={PAST}"), EXPIRED),
    "without a signature, encoded without need": (unsigned("width%3D64"), key("width=64.jpg")),
    "without a signature, another size": (unsigned("width=65"), BAD),
    "without a signature, the height of a width": (unsigned("height=64"), BAD),
    "without a signature, one side more": (unsigned("width=64,height=90"), BAD),
    "without a signature, one side less": (unsigned("width=120"), BAD),
    "without a signature, multiplied out of the list": (unsigned("width=64,dpr=2"), BAD),
    "without a signature, no size": (unsigned("fit=cover"), BAD),
    "without a signature, a point": (unsigned("width=120,height=90,fit=cover,gravity=0.3:0.3"), BAD),
    "without a signature, an option that is none": (unsigned("width=64,colour=red"), BAD),
    "without a signature, an option that is wrong": (unsigned("width=64,height=0"), BAD),
    "without a signature, an option twice": (unsigned("width=64,width=64"), BAD),
    "without a signature, one letter more": (unsigned("width=64").replace("/u.", "/ux."), BAD),
    "without a signature, another letter": (unsigned("width=64").replace("/u.", "/U."), BAD),
    "without a signature, with one": (unsigned("width=64").replace("/u.", f"/u{'A' * 22}."), BAD),
    **{
        f"without a signature, {more}": (unsigned(f"width=64,{more}"), BAD)
        for more in (
            *("crop=0:0:9:9", "rotate=90", "flip=h", "quality=80", "quality=79", "background=ffffff", "blur=1"),
            *("sharpen=1", "grayscale=1", "bitonal=1", "enlarge=1"),
        )
    },
    "the name of a size for that of a secret": (
        path_of(ID, "width=64,kid=-64x0", sign(b"", ID, "width=64,kid=-64x0", "jpg"), "jpg"),
        BAD,
    ),
    "the name of a size without its first letter": (
        path_of(ID, "width=64,kid=64x0", sign(b"", ID, "width=64,kid=64x0", "jpg"), "jpg"),
        BAD,
    ),
    "an empty signature": (f"/i/{ID}/t/width=640,kid={LIVE.id}/.jpg", BAD),
    "a signature cut off": (_without_last(GOOD), BAD),
    "a signature with its padding": (GOOD.replace(".jpg", "==.jpg"), BAD),
    "a signature whose spare bits are set": (_spare_bits(GOOD), BAD),
    "a signature twice": (_twice(GOOD), BAD),
    "a signature among the options": (GOOD.replace("/t/", f"/t/{GOOD.rpartition('/')[2].partition('.')[0]}/"), BAD),
    "options twice": (GOOD.replace("/t/", "/t/width=640/"), BAD),
    "no secret named, and none of them": (own("width=64", secret=RETIRED), BAD),
    "the name of all secrets": (own("width=64,kid=-"), BAD),
    "no secret of this name": (own("width=64,kid=none"), BAD),
    "a name no secret has": (own("width=64,kid=__proto__"), BAD),
    "no options": (f"/i/{ID}/t//{GOOD.rpartition('/')[2]}", BAD),
    "no extension": (GOOD.removesuffix(".jpg"), BAD),
    "an extension that is none": (GOOD.replace(".jpg", ".bmp"), BAD),
    "an id that is none": (GOOD.replace(ID, ID.upper()), BAD),
    "what was signed until then, further": (own(f"width=64,KID,exp={PAST}").replace(str(PAST), str(FUTURE)), BAD),
    # ---- percent
    "encoded without need": (GOOD.replace(",", "%2C").replace("=", "%3D"), key("width=640,height=480,fit=cover.jpg")),
    "encoded twice": (GOOD.replace(",", "%252C"), BAD),
    "an encoded slash in the options": (GOOD.replace("cover", "cover%2F.."), BAD),
    "an encoded point before the signature": (
        GOOD.replace(".jpg", "%2Ejpg"),
        key("width=640,height=480,fit=cover.jpg"),
    ),
    "an encoded end of text": (GOOD.replace("cover", "cover%00"), BAD),
    "an encoded end of line": (GOOD.replace("cover", "cover%0A"), BAD),
    "digits of another script": (GOOD.replace("640", "%EF%BC%94"), BAD),
    "bytes that are no text": (GOOD.replace("640", "%FF"), BAD),
    "64 KB": (GOOD.replace("cover", "cover" + "," * 64_000), BAD),
    "longer than any address": (own("width=64,KID" + ",blur=1" * 100), BAD),
    # ---- signed, and over
    "until a moment that has passed": (own(f"width=64,KID,exp={PAST}"), EXPIRED),
    "until now": (own(f"width=64,KID,exp={NOW}"), EXPIRED),
    "until a moment that has passed, a family": (own(f"width=160,KID,exp={PAST}", family=True), EXPIRED),
    # ---- signed, and not right
    "a wrong option": (own("width=0,KID"), WRONG),
    "a wrong option, and over": (own(f"width=0,KID,exp={PAST}"), WRONG),
    "an unknown option": (own("colour=red,KID"), WRONG),
    "an option of every object": (own("constructor=1,KID"), WRONG),
    "two secrets named": (own(f"width=64,KID,kid={OLDER.id}"), WRONG),
    "an option twice": (own("width=64,width=64,KID"), WRONG),
    "too many pixels": (own("width=8192,height=8192,dpr=4,KID"), WRONG),
    "dpr of nothing": (own("dpr=2,KID"), WRONG),
    "an end that is none": (own("width=64,KID,exp=soon"), WRONG),
    "more options than are read": (own("width=64,KID" + ",blur=1" * 53), WRONG),
}
"""By what it is: an address and what becomes of it. The image is ready, of 4000 by 3000 pixels, and stands still."""

RIGHT = {
    "height=10,width=20": "width=20,height=10",
    "width=0020": "width=20",
    "width=320,dpr=2": "width=640",
    "width=321,height=7,dpr=1.5": "width=482,height=11",
    "width=100,dpr=1.15": "width=115",
    "width=8192,dpr=1": "width=8192",
    "width=20,fit=inside": "width=20",
    "width=20,fit=cover,gravity=north": "width=20",
    "width=20,height=20,gravity=north": "width=20,height=20",
    "width=20,height=20,fit=cover,gravity=0.5:0": "width=20,height=20,fit=cover,gravity=north",
    "width=20,height=20,fit=cover,gravity=0.50:0.3000": "width=20,height=20,fit=cover,gravity=0.5:0.3",
    "width=20,height=20,fit=cover,gravity=001:0": "width=20,height=20,fit=cover,gravity=northeast",
    "width=20,height=20,fit=cover,gravity=center": "width=20,height=20,fit=cover,gravity=center",
    "width=20,height=20,fit=cover,gravity=entropy": "width=20,height=20,fit=cover,gravity=entropy",
    "width=20,height=20,fit=contain,gravity=center": "width=20,height=20,fit=contain",
    "width=20,height=20,fit=contain,gravity=attention": "width=20,height=20,fit=contain",
    "width=20,height=20,fit=contain,gravity=southeast": "width=20,height=20,fit=contain,gravity=southeast",
    "width=20,height=20,fit=fill,gravity=south": "width=20,height=20,fit=fill",
    "rotate=180,flip=h": "flip=v",
    "rotate=90,flip=v": "rotate=270,flip=h",
    "rotate=270,flip=v": "rotate=90,flip=h",
    "rotate=180,flip=v": "flip=h",
    "rotate=180": "rotate=180",
    "enlarge=1,rotate=90": "rotate=90",
    "enlarge=1,height=90": "height=90,enlarge=1",
    "blur=2.50": "blur=2.5",
    "sharpen=010.00": "sharpen=10",
    "background=FFAA00": "background=ffaa00",
    "background=ffffff": "fit=inside",
    "quality=77,width=5": "width=5",
    "quality=077,width=5": "width=5",
    "quality=79,width=5": "width=5,quality=79",
    "fit=cover": "fit=inside",
    "grayscale=1,crop=00:1:20:030": "crop=0:1:20:30,grayscale=1",
    "bitonal=1,blur=1": "blur=1,bitonal=1",
    "bitonal=1,grayscale=1": "bitonal=1",
}
"""Options in every order and by every alias, and their one spelling for a JPEG."""

REFUSED = (
    *(f"width={value}" for value in ("0", "8193", "-1", "+5", "1e3", "", " 5", "5 ", "1.5", "999999", "*", "5=5")),
    *(f"height={value}" for value in ("0", "8193")),
    *(f"fit={value}" for value in ("", "Cover", "crop", "outside")),
    *(
        f"gravity={value}"
        for value in ("", "up", "0.5", "0.5:", ":0.5", "1.1:0", "0:-1", "0.12345:0", "1e0:0", ".5:0", "0.:0")
    ),
    *(f"gravity={value}" for value in ("0:0:0", "toString", "NORTH", "0x1:0", " 0:0", "1000:0")),
    *(
        f"crop={value}"
        for value in ("", "0:0:1", "0:0:0:1", "0:0:1:0", "-1:0:1:1", "0:0:1:65536", "0:0:1:1:1", "0:0::1")
    ),
    *(f"rotate={value}" for value in ("", "0", "45", "360", "090")),
    *(f"flip={value}" for value in ("", "hv", "H")),
    *(f"quality={value}" for value in ("0", "101", "1.5")),
    *(f"background={value}" for value in ("", "fff", "#ffffff", "gggggg", "ffffff0")),
    *(f"blur={value}" for value in ("0.29", "100.01", "1.234", "1e1", "1.", ".5", "-1", "")),
    *(f"sharpen={value}" for value in ("0.09", "10.01")),
    *(f"grayscale={value}" for value in ("0", "true", "")),
    *(f"bitonal={value}" for value in ("0", "")),
    *(f"enlarge={value}" for value in ("0", "yes")),
    *(f"width=5,dpr={value}" for value in ("0.99", "4.01", "2x", "")),
    *("width", "=5", "", "width=5,", ",width=5", "Width=5", "width =5", "__proto__=1", "hasOwnProperty=1"),
)
"""Options that are refused by name."""


# ------------------------------------------------------------------ the Python of one machine


STILL = Source(format=Format.JPEG, width=4000, height=3000, bytes=1, sha256="0", has_alpha=False, frames=1)
SOURCES = (STILL, dataclasses.replace(STILL, has_alpha=True), dataclasses.replace(STILL, frames=9))
"""A picture that stands still, one that lets something through, and one that moves."""


@dataclass
class OneMachine:
    """``edge/transformations.py`` with nothing behind it: which result it asks for, or why it does not."""

    source: Source = STILL
    unsigned: frozenset[tuple[int | None, int | None]] = OPEN

    def __call__(self, path: str, accept: str | None = None, now: int = NOW) -> Outcome:
        """Return the outcome of a request; ``path`` is percent-encoded."""
        return asyncio.run(self._ask(path, accept, now))

    async def _ask(self, path: str, accept: str | None, now: int) -> Outcome:
        asked: list[str] = []

        class Pictures:
            """Nothing is there, and what is looked for is noted."""

            def hot(self, _key):
                return None

            async def find(self, wanted, _image_id):
                asked.append(wanted)
                return Absence.MISSING

        class Maker:
            async def make(self, _image_id, _options, _extension):
                raise Unavailable("nothing is made here")

        demand = Demand(
            results=MemoryResults(lambda: MADE_AT),
            maker=Maker(),
            promise=lambda *_: None,
            secrets=lambda: SECRETS,
            image=self._image,
            rules=TransformationRules(widths=WIDTHS, unsigned=self.unsigned, avif_budget=60),
        )
        pool = Pool(10)
        try:
            answering = Transformations(Pictures(), pool, demand, Lifetimes(), now=lambda: now)
            fields = {} if accept is None else {b"accept": accept.encode("latin-1")}
            outcome = await answering.answer("GET", unquote(path), fields)
        finally:
            pool.close()
        assert isinstance(outcome, tuple), outcome
        assert isinstance(outcome[1], Answer)
        return asked[0] if asked else json.loads(outcome[1].body)["code"]

    def _image(self, image_id: str) -> Image:
        facts = Facts(source=self.source, placeholder="", color="#000000")
        return Image(id=image_id, owner="local", state=State.READY, filename="a", uploaded_at=MADE_AT, facts=facts)
