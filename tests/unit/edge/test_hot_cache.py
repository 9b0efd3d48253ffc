"""What the hot cache keeps, and what it lets go of first."""

from darkroom.edge.hotcache import OVERHEAD_BYTES, HotCache

BODY = 10_000
ENTRY = BODY + OVERHEAD_BYTES


def filled(entries: int) -> HotCache[str]:
    """Return a cache with room for ten entries, ``entries`` of them taken, each of an image of its own."""
    cache: HotCache[str] = HotCache(10 * ENTRY)
    for number in range(entries):
        cache.put(f"path{number}", f"image{number}", f"value{number}", BODY)
    return cache


def kept(cache):
    return [number for number in range(30) if cache.get(f"path{number}")]


def test_who_was_asked_for_longest_ago_goes_first():
    cache = filled(10)
    assert cache.get("path0") == "value0"
    cache.put("path10", "image10", "value10", BODY)
    cache.put("path11", "image11", "value11", BODY)
    assert kept(cache) == [0, 3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_it_never_takes_more_than_it_may():
    cache = filled(0)
    for number in range(1_000):
        cache.put(f"path{number}", f"image{number % 7}", "value", number % 5 * 4_000)
        assert cache.bytes <= 10 * ENTRY


def test_a_body_larger_than_its_share_is_not_kept_and_drives_nothing_out():
    cache = filled(9)
    cache.put("path9", "image9", "value", cache.largest + 1)
    assert kept(cache) == list(range(9))
    cache.put("path9", "image9", "value", cache.largest)
    assert cache.get("path9") == "value"


def test_everything_of_an_image_goes_together():
    cache = filled(3)
    cache.put("another", "image1", "value", BODY)
    cache.evict("image1")
    assert cache.get("another") is None
    assert kept(cache) == [0, 2]
    assert cache.bytes == 2 * ENTRY
    cache.evict("image1")


def test_what_is_put_again_replaces_what_was_there():
    cache = filled(1)
    cache.put("path0", "image0", "newer", BODY + 1)
    assert cache.get("path0") == "newer"
    assert cache.bytes == ENTRY + 1
    cache.remove("path0")
    cache.remove("path0")
    assert cache.get("path0") is None
    assert cache.bytes == 0


def test_cleared_it_is_empty_and_usable():
    cache = filled(10)
    cache.clear()
    assert kept(cache) == []
    assert cache.bytes == 0
    cache.put("path1", "image1", "value1", BODY)
    assert kept(cache) == [1]


def test_without_room_nothing_is_kept():
    cache: HotCache[str] = HotCache(0)
    cache.put("path0", "image0", "value", 0)
    assert cache.get("path0") is None
