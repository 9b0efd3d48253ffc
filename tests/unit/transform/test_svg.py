"""An SVG may draw what is in it, and nothing else; what it repeats is counted before it is drawn."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bombs
import pictures
from darkroom.errors import Refused, TooLarge, TooManyPixels, UnreadableImage, UnsupportedFormat
from darkroom.model import Format
from darkroom.transform import Limits
from darkroom.transform.sniff import HEAD_BYTES, recognise
from darkroom.transform.structure import check_before_decoding
from darkroom.transform.svg import MOST_BYTES, MOST_DEPTH, MOST_DRAWN, MOST_ELEMENTS, extent, without_doctype

LIMITS = Limits(svg=True)
DOCTYPE = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'


def check(within: str = "", *, before: str = "", root: str = "") -> None:
    check_before_decoding(pictures.svg(within=within, before=before, root=root), LIMITS)


def picture(content: bytes, kind: str = "png") -> str:
    return f'<image xlink:href="data:image/{kind};base64,{base64.b64encode(content).decode()}"/>'


# What it is.


@pytest.mark.parametrize(
    "before",
    [
        "",
        "\ufeff",
        " \n\t",
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!-- Created with an editor <svg> -->\n\n',
        DOCTYPE,
        "<!-- -- -->" * 50,
    ],
)
def test_an_svg_is_recognised_after_what_editors_write_before_it(before: str) -> None:
    content = pictures.svg(before=before)
    assert recognise(content[:HEAD_BYTES], svg=True) is Format.SVG
    with pytest.raises(UnsupportedFormat, match="DARKROOM_SVG"):
        recognise(content[:HEAD_BYTES], svg=False)


def test_an_svg_with_prefixes_is_recognised() -> None:
    assert recognise(b"<svg:svg xmlns:svg='http://www.w3.org/2000/svg'/>", svg=True) is Format.SVG


@pytest.mark.parametrize(
    "head",
    [
        b"<html><svg/></html>",
        b"<svgs>",
        b"<!DOCTYPE html><svg/>",
        b"<!-- <svg/>",
        b"svg",
        b"\x1f\x8b\x08",
        "<svg/>".encode("utf-16"),
    ],
)
def test_what_has_an_svg_in_it_is_none(head: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="JPEG"):
        recognise(head, svg=True)


@given(st.text(alphabet='<>!?-[]"= \nsvgDOCTYPE:x&;#', max_size=200))
def test_any_beginning_is_answered(text: str) -> None:
    try:
        assert recognise(text.encode(), svg=True) is Format.SVG
    except UnsupportedFormat as refusal:
        assert refusal.detail  # noqa: PT017  # either is right, another error is not


# How large.


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('width="120" height="80"', (120, 80)),
        ('width="120px" height="80.2px"', (120, 81)),
        ('width="1in" height="25.4mm"', (96, 96)),
        ('width="2.54cm" height="72pt"', (96, 96)),
        ('width="6pc" height="9.6e1"', (96, 96)),
        ('viewBox="-5 -5 300.5 100"', (301, 100)),
        ("viewBox='0,0,300,100'", (300, 100)),
        ('width="100%" height="100%" viewBox="0 0 300 100"', (300, 100)),
        ('width="100" viewBox="0 0 300 150"', (100, 50)),
        ('height="100" viewBox="0 0 300 150"', (200, 100)),
    ],
)
def test_its_size_is_what_it_says_in_pixels_of_css(attributes: str, expected: tuple[int, int]) -> None:
    assert extent(io.BytesIO(f"<svg {attributes}><g/></svg>".encode())) == expected


@pytest.mark.parametrize(
    "attributes",
    ["", 'width="100"', 'width="0" height="5"', 'width="-3" height="5"', 'width="nan" height="inf"', 'viewBox="0 0 1"'],
)
def test_one_without_a_size_is_refused(attributes: str) -> None:
    content = f"<svg {attributes}><g/></svg>".encode()
    with pytest.raises(UnreadableImage, match="viewBox"):
        extent(io.BytesIO(content))
    with pytest.raises(UnreadableImage, match="viewBox"):
        check_before_decoding(content, LIMITS)


def test_the_size_is_bounded_as_that_of_other_pictures() -> None:
    check_before_decoding(pictures.svg(10_000, 10_000), LIMITS)
    with pytest.raises(TooManyPixels):
        check_before_decoding(pictures.svg(10_000, 10_001), LIMITS)


# What is in it.


def test_what_editors_write_passes() -> None:
    check_before_decoding(bombs.svg_of_everything(), LIMITS)
    check('<image href="#a"/><foreignObject><p>words</p></foreignObject><title>&lt; url(x) &amp;</title>')
    check("<metadata><rdf:RDF rdf:about='http://example.org/'/></metadata><?editor said url(http://x) ?>")
    check(picture(pictures.jpeg(), "jpeg") + picture(pictures.png()))
    check('<marker id="m"><path d=""/></marker><style>path { marker-end: url(#m) }</style><path d=""/>')


@pytest.mark.parametrize(
    "within",
    [
        '<image xlink:href="file:///etc/passwd"/>',
        '<image href="http://example.org/a.png"/>',
        '<image href="a.png"/>',
        "<image href=' &#104;ttp://example.org/a.png'/>",
        '<x:image xmlns:x="http://www.w3.org/2000/svg" x:href="a.png"/>',
        '<use xlink:href="b.svg#a"/>',
        '<feImage href="//example.org/"/>',
        '<image href="data:image/svg+xml;base64,PHN2Zy8+"/>',
        '<image href="data:text/html,x"/>',
        '<image href="data:image/png,x"/>',
        '<rect fill="url(http://example.org/#a)"/>',
        '<rect fill="URL( &quot;file:///a#b&quot;)"/>',
        '<rect fill="&#x75;rl(a.svg#b)"/>',
        '<rect style="fill: url(a.svg#b)"/>',
        "<style>@import 'a.css';</style>",
        "<style>@IMPORT 'a.css';</style>",
        "<style>@font-face { src: url(#a) }</style>",
        "<style>/* */ rect { fill: u/**/rl(#a); stroke: url(/* */ 'a.svg') }</style>",
        "<style><![CDATA[ rect { fill: url(a.svg#b) } ]]></style>",
        "<style>rect { fill: \\75 rl(a.svg#b) }</style>",
        "<g><style>rect { </style><style>fill: url(a.svg#b) }</style></g>",
        '<g xml:base="http://example.org/"/>',
        "<script>alert(1)</script>",
        "<SCRIPT/>",
        '<rect onclick="alert(1)"/>',
        '<text x="1" y="1">Hello</text>',
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="#a"/>',
        '<?xml-stylesheet href="a.css"?>',
    ],
)
def test_what_reaches_out_is_refused(within: str) -> None:
    with pytest.raises(UnsupportedFormat, match=r"SVG.*(save|convert)"):
        check(within)


@pytest.mark.parametrize(
    "before",
    [
        '<!DOCTYPE svg [<!ENTITY a "b">]>',
        '<!DOCTYPE svg SYSTEM "a.dtd" [ <!ENTITY % a SYSTEM "file:///etc/passwd"> %a; ]>',
        "<!DOCTYPE svg []>",
        "<!DOCTYPE svg " + "x" * 5_000 + ">",
    ],
)
def test_entities_and_document_types_are_refused(before: str) -> None:
    with pytest.raises(UnsupportedFormat, match="plain SVG"):
        check(before=before)


def test_a_document_type_without_entities_is_not_shown_to_the_rasteriser() -> None:
    content = pictures.svg(before=f'<?xml version="1.0"?>{DOCTYPE}<!-- kept -->')
    check_before_decoding(content, LIMITS)
    assert without_doctype(content) == content.replace(DOCTYPE.encode(), b"")
    assert without_doctype(pictures.svg()) == pictures.svg()


@pytest.mark.parametrize(
    "content",
    [
        pictures.svg()[:-6],
        pictures.svg() + b"</svg>",
        pictures.svg(within="<rect"),
        pictures.svg(within="<rect fill=red/>"),
        pictures.svg(within="<rect a='<'/>"),
        pictures.svg(within="< rect/>"),
        pictures.svg(within="<!-- "),
        pictures.svg(within="<![CDATA["),
        pictures.svg(within=DOCTYPE),
        pictures.svg(before=DOCTYPE + DOCTYPE),
        pictures.svg(within="\xe4").replace("\xe4".encode(), b"\xe4"),
        pictures.svg(before='<?xml version="1.0" encoding="UTF-7"?>'),
        pictures.svg(within="<image href='data:image/png;base64,AAA'/>"),
    ],
)
def test_what_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableImage):
        check_before_decoding(content, LIMITS)


# How much.


def test_bytes_elements_and_depth_are_bounded() -> None:
    check("<g/>" * (MOST_ELEMENTS - 5))
    with pytest.raises(UnreadableImage, match="elements"):
        check("<g/>" * MOST_ELEMENTS)
    check("<g>" * (MOST_DEPTH - 1) + "</g>" * (MOST_DEPTH - 1))
    with pytest.raises(UnreadableImage, match="elements"):
        check("<g>" * MOST_DEPTH + "</g>" * MOST_DEPTH)
    with pytest.raises(TooLarge):
        check(" " * MOST_BYTES)


def test_what_is_used_counts_as_often_as_it_is_used() -> None:
    shape = '<g id="s">' + "<rect/>" * 99 + "</g>"
    uses = MOST_DRAWN // 101 - 1
    check(shape + '<use href="#s"/>' * uses)
    with pytest.raises(UnreadableImage, match="draws more"):
        check(shape + '<use href="#s"/>' * (uses + 2))


def test_what_uses_itself_is_left_to_the_rasteriser() -> None:
    check('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>')


def test_what_uses_one_another_without_end_is_refused() -> None:
    with pytest.raises(UnreadableImage, match="use one another"):
        check("".join(f'<g id="g{number}"><use href="#g{number + 1}"/></g>' for number in range(MOST_DEPTH + 50)))


def test_pictures_in_it_are_looked_at_as_pictures_are() -> None:
    with pytest.raises(TooManyPixels, match="together"):
        check(picture(pictures.png(9_000, 9_000)) * 2)
    with pytest.raises(TooLarge, match="inflate"):
        check(picture(bombs.png_profile()))
    with pytest.raises(UnsupportedFormat, match="neither"):
        check(picture(pictures.svg()))
    with pytest.raises(UnsupportedFormat, match="neither"):
        check(picture(pictures.gif()))


@given(st.data())
def test_a_damaged_one_passes_or_is_refused(data: st.DataObject) -> None:
    content = bombs.svg_of_everything()
    at = data.draw(st.integers(0, len(content)))
    damaged = content[:at] + data.draw(st.binary(max_size=12)) + content[at + data.draw(st.integers(0, 12)) :]
    try:
        check_before_decoding(damaged, LIMITS)
    except Refused as refusal:
        assert refusal.detail  # noqa: PT017  # either is right, another error is not
