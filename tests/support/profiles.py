"""ICC profiles for tests, made on the spot (ICC.1:2022, version 2 profiles): small, and each of an obvious effect."""

from __future__ import annotations

import struct

_WHITE = (0.9642, 1.0, 0.8249)
"""D50, in which all profiles meet."""

ODD_YELLOW = (0, 147, 69)
"""What ``odd_press`` prints for yellow: Lab 53 -50 30, in sRGB about."""
_GREEN_LAB = (53.0, -50.0, 30.0)


def grey_profile(*, gamma: float) -> bytes:
    """Return a profile of grey with a plain power curve; 1 is linear light."""
    return _profile(b"GRAY", b"XYZ ", [(b"kTRC", _curve(gamma))])


def adobe_rgb_profile() -> bytes:
    """Return a profile that is Adobe RGB (1998): wider primaries than sRGB's and a power curve."""
    primaries = {b"rXYZ": (0.60974, 0.31111, 0.01947), b"gXYZ": (0.20528, 0.62567, 0.06087)}
    primaries[b"bXYZ"] = (0.14919, 0.06322, 0.74457)
    tags = [(name, _xyz(*parts)) for name, parts in primaries.items()]
    return _profile(b"RGB ", b"XYZ ", [*tags, *((name, _curve(563 / 256)) for name in (b"rTRC", b"gTRC", b"bTRC"))])


def adobe_rgb(srgb: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return how Adobe RGB writes a colour of sRGB (matrices of both standards, both with the white D65)."""
    red, green, blue = ((part / 255 + 0.055) / 1.055 for part in srgb)
    red, green, blue = red**2.4, green**2.4, blue**2.4
    linear = (
        0.715169 * red + 0.284831 * green,
        green,
        0.041170 * green + 0.958830 * blue,
    )
    one, two, three = (round(255 * part ** (256 / 563)) for part in linear)
    return one, two, three


def odd_press() -> bytes:
    """Return a profile of four inks in which yellow prints green, and the others grey; black is black."""
    corners = b""
    for corner in range(16):
        cyan, magenta, yellow, black = (corner >> bit & 1 for bit in (3, 2, 1, 0))
        light, a, b = _GREEN_LAB if yellow else (100.0, 0.0, 0.0)
        light = 0.0 if black else light - 20 * (cyan + magenta)
        corners += bytes((round(light * 2.55), round(a) + 128, round(b) + 128))
    straight = bytes(range(256))
    matrix = b"".join(_fixed(part) for part in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + straight * 4 + corners + straight * 3
    return _profile(b"CMYK", b"Lab ", [(b"A2B0", table)], kind=b"prtr")


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(*parts: float) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, parts))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def _profile(space: bytes, meeting: bytes, tags: list[tuple[bytes, bytes]], *, kind: bytes = b"mntr") -> bytes:
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = [(b"desc", name), (b"cprt", b"text" + bytes(4) + b"none\0"), (b"wtpt", _xyz(*_WHITE)), *tags]
    start = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for tag, body in tags:
        table += tag + struct.pack(">II", start + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(">I4xI4s4s4s", start + len(bodies), 0x02100000, kind, space, meeting)
    head = head.ljust(36, b"\0") + b"acsp"
    return head.ljust(68, b"\0") + b"".join(map(_fixed, _WHITE)).ljust(60, b"\0") + table + bodies
