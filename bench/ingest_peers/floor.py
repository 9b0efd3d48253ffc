"""The floor: each step that cannot be left out, alone, from memory to memory, and nothing else in the time.

One decode to the largest size, each further size from the one before, each encode.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyvips
from turns import Stopwatch, take_turns, task

SAVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("jpegsave_buffer", {"optimize_coding": True, "quant_table": 5}),
    "webp": ("webpsave_buffer", {"effort": 4}),
    "avif": ("heifsave_buffer", {"compression": "av1", "effort": 0, "bitdepth": 8}),
}

pyvips.cache_set_max(0)
pyvips.concurrency_set(1)
asked = task()
content = Path(asked.photo).read_bytes()
saver, options = SAVERS[asked.format]


def ingest(watch: Stopwatch) -> list[int]:
    """Decode, resize and encode, each timed alone."""
    made = []
    whole = pyvips.Image.jpegload_buffer(content, access="sequential")
    longest = max(whole.width, whole.height)
    for side in asked.sides:
        with watch:
            whole = whole.resize(min(1, side / longest)).copy_memory()
        longest = side
        with watch:
            body = getattr(whole, saver)(Q=asked.quality, keep="none", **options)
        made.append(len(body))
    return made


take_turns(f"libvips {'.'.join(str(pyvips.version(part)) for part in range(3))}", ingest)
