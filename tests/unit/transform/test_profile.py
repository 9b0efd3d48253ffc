from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pictures
from darkroom.transform.profile import is_srgb

SRGB = pictures.srgb_profile()


def with_curves(curve: bytes) -> bytes:
    """Return the sRGB profile with another tone curve for all three colours."""
    profile = bytearray(SRGB)
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        entry = profile.index(name, 132)
        profile[entry + 4 : entry + 12] = struct.pack(">II", len(SRGB), len(curve))
    return bytes(profile) + curve


def sampled(count: int, gamma: float | None = None) -> bytes:
    """Return a tone curve as a table, of sRGB or of a plain gamma."""
    values = [at / (count - 1) for at in range(count)]
    linear = [v**gamma if gamma else v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return b"curv" + bytes(4) + struct.pack(f">I{count}H", count, *(round(65535 * value) for value in linear))


def test_srgb_is_known_however_its_curve_is_written() -> None:
    assert is_srgb(SRGB)
    assert is_srgb(with_curves(sampled(1024)))
    assert is_srgb(with_curves(sampled(64)))


@pytest.mark.parametrize(
    "profile",
    [
        pictures.display_p3_profile(),
        with_curves(sampled(1024, 2.2)),
        with_curves(sampled(1024, 1.8)),
        with_curves(b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0233)),
        with_curves(b"curv" + bytes(4) + struct.pack(">I", 0)),
        with_curves(b"para" + bytes(4) + struct.pack(">HHi", 0, 0, 0x0233 << 8)),
        with_curves(b"what"),
        SRGB.replace(b"RGB ", b"GRAY", 1),
        SRGB.replace(b"wtpt", b"A2B0", 1),
        SRGB[:200],
        b"",
        b"sRGB IEC61966-2.1",
    ],
)
def test_what_is_not_srgb_is_not_taken_for_it(profile: bytes) -> None:
    assert not is_srgb(profile)


@given(st.lists(st.tuples(st.integers(0, len(SRGB) - 1), st.integers(0, 255)), max_size=12), st.integers(0, len(SRGB)))
def test_a_damaged_profile_is_no_error(noise: list[tuple[int, int]], cut: int) -> None:
    profile = bytearray(SRGB)
    for at, value in noise:
        profile[at] = value
    assert is_srgb(bytes(profile)) in {True, False}
    assert is_srgb(bytes(profile[:cut])) in {True, False}
