"""Bytes, processor time and scores of every way on every picture, kept on disk so that a run goes on where it ended."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from quality_study.rows import Row
from quality_study.ways import WAYS, Encoders, Way, told_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quality_study.subjects import Subject

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parent.parent / ".venv-bench" / "bin" / "python"
MOST_FOR_SECOND = 600
"""Pixels of the width up to which DSSIM judges too."""
BEHIND = (128, 128, 128)
"""What lies behind transparent pixels when they are judged."""


class Judge:
    """SSIMULACRA2 by PyPI's, in a process of its own, and DSSIM where that is installed."""

    def __init__(self) -> None:
        self._dssim = shutil.which("dssim")
        # Without these, three quarters of its time go into giving memory back and getting it again.
        quick = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=4294967296"}
        self._python = subprocess.Popen(
            [str(PYTHON), str(HERE.parent / "render_peers" / "score.py")],
            env={**os.environ, **quick},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def score(self, reference: Path, made: Path) -> float:
        """Return SSIMULACRA2 of two files of the same size."""
        assert self._python.stdin is not None
        assert self._python.stdout is not None
        self._python.stdin.write(json.dumps([str(reference), str(made)]) + "\n")
        self._python.stdin.flush()
        return float(self._python.stdout.readline())

    def second(self, reference: Path, made: Path) -> float | None:
        """Return DSSIM, where that is installed: 0 is the same picture."""
        if self._dssim is None:
            return None
        command = [self._dssim, str(reference), str(made)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])

    def close(self) -> None:
        """End what was started."""
        assert self._python.stdin is not None
        self._python.stdin.close()
        self._python.wait()


def reference_of(cache: Path, subject: Subject, width: int) -> Path | None:
    """Return the file of a picture in that width, which is made once; ``None`` where it is not as wide."""
    path = cache / f"{subject.name}-{width}.png"
    if not path.exists():
        picture = subject.at(width)
        if picture is None:
            return None
        cache.mkdir(parents=True, exist_ok=True)
        picture.save(path, compress_level=1)
    return path


def measure(cache: Path, subject: Subject, width: int, *, explored: bool, ways: Sequence[Way] = WAYS) -> list[Row]:
    """Return the ways on one picture in one width, from ``cache`` what is there already.

    ``explored`` is whether the ways that are there to choose from are among them, and DSSIM judges too.
    """
    reference = reference_of(cache, subject, width)
    if reference is None:
        return []
    kept = _Kept(cache / f"{subject.name}-{width}.jsonl")
    chosen = [way for way in ways if width in way.widths and (explored or not way.explored)]
    wanted = [(way, quality) for way in chosen for quality in way.qualities[width]]
    missing = [(way, quality) for way, quality in wanted if _key(way, quality) not in kept.rows]
    if missing:
        with tempfile.TemporaryDirectory() as name, Image.open(reference) as opened:
            opened.load()
            _Bench(Path(name), subject, opened, kept, twice=explored and width < MOST_FOR_SECOND).run(missing)
    rows = [kept.rows[_key(*each)] for each in wanted if _key(*each) in kept.rows]
    return [Row(**row) for row in rows]


class _Kept:
    """The rows of one picture in one file, one a line under what it was made with."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[str, dict[str, Any]] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            told = json.loads(line)
            self.rows[told["key"]] = told["row"]

    def judged(self, pixels: str) -> dict[str, Any] | None:
        """Return a row that shows the same."""
        return next((row for row in self.rows.values() if row["pixels"] == pixels), None)

    def add(self, key: str, row: Row) -> None:
        self.rows[key] = asdict(row)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": key, "row": asdict(row)}) + "\n")


class _Bench:
    """One picture, everything that is done with it."""

    def __init__(self, folder: Path, subject: Subject, picture: Image.Image, kept: _Kept, *, twice: bool) -> None:
        self._twice = twice
        self._folder, self._subject, self._picture, self._kept = folder, subject, picture, kept
        self._reference = folder / "reference.png"
        _flat(picture).save(self._reference, compress_level=1)
        self._judge = Judge()

    def run(self, missing: list[tuple[Way, int]]) -> None:
        encoders_ = Encoders(self._folder)
        for way, quality in missing:
            if self._picture.mode == "RGBA" and way.format == "jpeg":
                continue
            body, cpu = encoders_.encode(self._picture, way, quality)
            with Image.open(io.BytesIO(body)) as opened:
                shown = _flat(opened)
            pixels = hashlib.sha256(shown.tobytes()).hexdigest()[:24]
            known = self._kept.judged(pixels)
            score, dssim = (known["score"], known["dssim"]) if known else self._judged(shown)
            row = Row(
                subject=self._subject.name,
                kind=self._subject.kind,
                width=self._picture.width,
                height=self._picture.height,
                way=way.name,
                format=way.format,
                quality=quality,
                bytes=len(body),
                cpu=cpu,
                score=score,
                dssim=dssim,
                pixels=pixels,
            )
            self._kept.add(_key(way, quality), row)
        encoders_.close()
        self._judge.close()

    def _judged(self, shown: Image.Image) -> tuple[float, float | None]:
        made = self._folder / "made.png"
        shown.save(made, compress_level=1)
        second = self._judge.second(self._reference, made) if self._twice else None
        return self._judge.score(self._reference, made), second


def _flat(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    behind = Image.new("RGB", picture.size, BEHIND)
    behind.paste(picture, mask=picture.getchannel("A"))
    return behind


def _key(way: Way, quality: int) -> str:
    ours = told_apart(way.format) if way.library == "ours" else ""
    return f"{way.format} {way.library}{ours} {json.dumps(way.options, sort_keys=True)} {quality}"
