"""Whether an ICC profile is sRGB, so that a conversion to sRGB can be left out (ICC.1:2022, IEC 61966-2-1).

By what the profile does and not by its name: a name can say anything, and many a profile that is sRGB is called
otherwise.
"""

from __future__ import annotations

import struct

_COLORANTS = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
"""sRGB's primaries as ICC writes them, adapted to D50."""
_CURVES = (b"rTRC", b"gTRC", b"bTRC")
_TABLES = (b"A2B0", b"A2B1", b"A2B2")
"""Where one of these is, it says how colours are converted, and colorants and curves do not."""

_COLORANT_TOLERANCE = 0.003
_CURVE_TOLERANCE = 0.004
"""Of full scale in linear light: more than the short curve of a compact profile is off, less than gamma 2.2 is."""
_PROBES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
_MOST_TAGS = 100


def is_srgb(profile: bytes) -> bool:
    """Tell whether ``profile`` describes sRGB. A damaged one does not."""
    try:
        tags = _tags(profile)
        return (
            profile[16:20] == b"RGB "
            and not any(table in tags for table in _TABLES)
            and all(_near(_colorant(tags[name]), wanted) for name, wanted in _COLORANTS.items())
            and all(_follows_srgb(tags[name]) for name in _CURVES)
        )
    except (KeyError, struct.error, ValueError, OverflowError, ZeroDivisionError):
        return False


def is_wide(profile: bytes) -> bool:
    """Tell whether ``profile`` is of red, green and blue other than sRGB's."""
    return profile[16:20] == b"RGB " and not is_srgb(profile)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * at) for at in range(min(count, _MOST_TAGS))]
    return {name: profile[start : start + length] for name, start, length in entries}


def _colorant(tag: bytes) -> tuple[float, ...]:
    return tuple(part / 65536 for part in struct.unpack_from(">4s4x3i", tag)[1:])


def _near(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return all(abs(one - other) <= _COLORANT_TOLERANCE for one, other in zip(found, wanted, strict=True))


def _follows_srgb(tag: bytes) -> bool:
    return all(abs(_curve(tag, probe) - _srgb_to_linear(probe)) <= _CURVE_TOLERANCE for probe in _PROBES)


def _srgb_to_linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _curve(tag: bytes, value: float) -> float:
    """Return what a tone curve makes of ``value`` (0–1): linear light (0–1)."""
    if tag[:4] == b"curv":
        return _sampled(tag, value)
    if tag[:4] == b"para" and struct.unpack_from(">H", tag, 8) == (3,):
        gamma, a, b, c, d = (part / 65536 for part in struct.unpack_from(">5i", tag, 12))
        return float((a * value + b) ** gamma) if value >= d else c * value
    raise ValueError(tag[:4])


def _sampled(tag: bytes, value: float) -> float:
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return value
    if count == 1:
        return float(value ** (struct.unpack_from(">H", tag, 12)[0] / 256))
    position = value * (count - 1)
    index = min(int(position), count - 2)
    low, high = struct.unpack_from(">HH", tag, 12 + 2 * index)
    return float(low + (high - low) * (position - index)) / 65535
