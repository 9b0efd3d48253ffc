"""How well the quality that brings a picture to a score can be told beforehand; writes what the service tells it by.

    python bench/quality_auto.py [--photos DIR…] [--cache DIR] [--page docs/quality.md] [--write]

Takes the pictures and the cache of ``bench/quality.py``, and two parts of each photo as further pictures at 320 pixels.
What ``darkroom.transform.auto_quality`` tells of a picture is fitted to the qualities at which it reached a score, by
ridge regression, one for each format. Validated by ten folds: what is told of a picture comes from a fit that saw
neither it, nor a part of it, nor it in another width. ``--write`` writes the coefficients of a fit to all of them into
the package. The intervals are of a bootstrap over pictures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyvips

from darkroom.transform.auto_quality import features
from quality import EVERY, HERE, shipped
from quality_study import subjects
from quality_study.measure import PYTHON, measure, reference_of
from quality_study.ways import WAYS

if TYPE_CHECKING:
    from quality_study.subjects import Subject

OURS = [way for way in WAYS if way.library == "ours"]
COEFFICIENTS = HERE.parent / "src" / "darkroom" / "transform" / "auto_coefficients.py"


class _Job(NamedTuple):
    """One picture in one width; ``group`` is what it must not be told by."""

    cache: Path
    subject: Subject
    width: int
    group: str


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", nargs="*", type=Path, default=[], metavar="DIR")
    parser.add_argument("--most", type=int, default=28, help="pictures of these folders")
    parser.add_argument("--cache", type=Path, default=HERE.parent / "dist" / "quality")
    parser.add_argument("--page", type=Path, help="where the tables are written, in place of printing")
    parser.add_argument("--write", action="store_true", help="write the coefficients into the package")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    chosen = list(subjects.all_of_them(asked.photos, shipped(), asked.most))
    chosen.sort(key=lambda subject: hashlib.sha256(subject.name.encode()).digest())
    jobs = [
        _Job(asked.cache, each, width, each.name)
        for at, each in enumerate(chosen)
        for width in EVERY
        if at % EVERY[width] == 0
    ]
    jobs += [_Job(asked.cache, part, min(EVERY), each.name) for each in chosen for part in subjects.parts_of(each)]
    with ProcessPoolExecutor(asked.workers) as pool:
        points = [point for point in pool.map(_told, jobs) if point]
    told = asked.cache / "told.json"
    told.write_text(json.dumps(points))
    command = [str(PYTHON), str(HERE / "quality_study" / "fit.py"), str(told)]
    command += ["--page", str(asked.page)] if asked.page else []
    command += ["--write", str(COEFFICIENTS)] if asked.write else []
    subprocess.run(command, check=True)


def _told(job: _Job) -> dict[str, Any] | None:
    rows = measure(job.cache, job.subject, job.width, explored=False, ways=OURS)
    reference = reference_of(job.cache, job.subject, job.width)
    if reference is None:
        return None
    pyvips.cache_set_max(0)
    pyvips.concurrency_set(1)
    picture = pyvips.Image.new_from_file(str(reference)).copy_memory()
    spent = []
    for _ in range(3):
        before = time.process_time()
        told = features(picture)
        spent.append(1000 * (time.process_time() - before))
    return {"group": job.group, "width": job.width, "features": told, "cpu": min(spent), "rows": [*map(asdict, rows)]}


if __name__ == "__main__":
    main()
