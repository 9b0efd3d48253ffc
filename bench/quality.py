"""How many bytes and how much processor time a picture takes at equal quality, by us and by the peers.

    python bench/quality.py [--photos DIR…] [--most 28] [--cache DIR] [--page docs/quality.md]

Needs ``make .venv-bench/.installed``, and ``npm ci`` in this folder once. Without ``--photos`` only the pictures that
scikit-image ships and the generated ones are measured, and at 1080 and 1920 pixels only the generated ones.

Method. A picture is scaled to the width without loss; that is the reference. Each way encodes the reference's pixels at
three or four qualities; the file is decoded by Pillow and judged against the reference by SSIMULACRA2 (PyPI), and at
320 pixels by DSSIM as well where ``dssim`` is installed (``cargo install dssim``). Between the measured qualities a
monotone cubic curve says what a score takes; outside of them nothing is said. Two ways are compared on the pictures
that both bring to that score, by geometric means, with the 95 % interval of a bootstrap over pictures. Transparent
pictures are judged before grey. Times are processor time of encoding alone on one thread, the shortest of three where
it is under 30 ms, and count only as ratios: the machine does other things too. ``thumbor`` is Pillow with thumbor's
settings, which is its engine. sharp's AVIF is measured at 320 pixels only, because it takes long.

Every second picture is measured at 1080 and 1920 pixels, too, and what is there only to choose from on the first
fourteen, because scoring takes as long as there are pixels. What was measured is kept in ``--cache``, and a run that
was cut off goes on from there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from machine import print_load, print_machine
from quality_study import subjects
from quality_study.measure import PYTHON, measure

if TYPE_CHECKING:
    from quality_study.rows import Row
    from quality_study.subjects import Subject

HERE = Path(__file__).resolve().parent
EVERY = {320: 1, 1080: 2, 1920: 2}
"""Of how many pictures one is measured, by width."""
EXPLORED = 14
"""On how many pictures the ways are measured that are there to choose from."""


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", nargs="*", type=Path, default=[], metavar="DIR")
    parser.add_argument("--most", type=int, default=28, help="pictures of these folders")
    parser.add_argument("--cache", type=Path, default=HERE.parent / "dist" / "quality")
    parser.add_argument("--page", type=Path, help="where the tables and plots are written, in place of printing")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    print_machine()
    chosen = list(subjects.all_of_them(asked.photos, shipped(), asked.most))
    chosen.sort(key=lambda subject: hashlib.sha256(subject.name.encode()).digest())  # so that every second is a mixture
    jobs = [
        _Job(asked.cache, each, width, at < EXPLORED)
        for at, each in enumerate(chosen)
        for width in EVERY
        if at % EVERY[width] == 0
    ]
    rows = []
    with ProcessPoolExecutor(asked.workers) as pool:
        for job, made in zip(jobs, pool.map(_measured, jobs), strict=True):
            print(f"{job.subject.name}, {job.width}: {len(made)} files", flush=True)
            rows += made
    (asked.cache / "rows.json").write_text(json.dumps([asdict(row) for row in rows]))
    report = [str(PYTHON), str(HERE / "quality_study" / "report.py"), str(asked.cache / "rows.json")]
    subprocess.run([*report, str(asked.page)] if asked.page else report, check=True)
    print_load()


class _Job(NamedTuple):
    """One picture in one width."""

    cache: Path
    subject: Subject
    width: int
    explored: bool


def _measured(job: _Job) -> list[Row]:
    return measure(job.cache, job.subject, job.width, explored=job.explored)


def shipped() -> Path:
    """Return the folder of the pictures that come with scikit-image."""
    found = next(PYTHON.parent.parent.glob("lib/python*/site-packages/skimage/data"), None)
    if found is None:
        raise SystemExit("this needs `make .venv-bench/.installed`")
    return found


if __name__ == "__main__":
    main()
