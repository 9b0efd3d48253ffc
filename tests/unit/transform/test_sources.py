"""Of what a result is made: large enough first, never an AVIF where another will do, then what is cheap."""

from darkroom.model import Format
from darkroom.transform.plan import Size
from darkroom.transform.sources import Candidate, in_order

ORIGINAL = Candidate(size=Size(4000, 3000), format=Format.JPEG)


def kept(width, format_=Format.JPEG):
    return Candidate(size=Size(width, width * 3 // 4), format=format_, key=f"{width}.{format_}")


LARGE, MEDIUM, SMALL = kept(1920), kept(1080), kept(320)
AVIF = kept(1920, Format.AVIF)


def best(among, width):
    return in_order(among, Size(width, width * 3 // 4))[0]


def test_the_cheapest_with_headroom_is_taken():
    everything = [ORIGINAL, AVIF, LARGE, MEDIUM, SMALL]
    assert best(everything, 200) == SMALL
    assert best(everything, 300) == MEDIUM
    assert best(everything, 1000) == LARGE
    assert best(everything, 1900) == ORIGINAL


def test_an_avif_is_taken_only_where_nothing_else_is_large_enough():
    assert best([AVIF, LARGE], 1900) == LARGE
    assert best([AVIF, MEDIUM], 1000) == MEDIUM
    assert best([AVIF, MEDIUM], 1500) == AVIF
    assert best([Candidate(size=Size(4000, 3000), format=Format.AVIF), LARGE], 1000) == LARGE


def test_where_all_are_too_small_the_largest_is_taken():
    assert best([MEDIUM, AVIF, SMALL], 3000) == AVIF
    assert best([MEDIUM, LARGE, AVIF, SMALL], 3000) == LARGE
