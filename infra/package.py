"""Builds what is deployed on AWS, without Docker: `make package` writes it all into dist/aws.

    python infra/package.py [--recipes FILE] [--default-image FILE] [--arch arm64|x86_64] [--python 3.13] [--out DIR]

The Python packages come from the hashed lists requirements/lambda-*.txt, as wheels for the machine that Lambda has, and
are cut down to what runs. The same input gives the same bytes. What was built is checked before it is kept: every
shared library is for that machine, for that Python, and asks for no newer glibc than Amazon Linux 2023 has.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import rendering
from darkroom.bucket.objects import ObjectBucket
from darkroom.edge.defaults import shelve_defaults
from darkroom.names import default_key
from darkroom.transform.inline import InlineTransform
from darkroom.transform.recipes import Recipe, load_recipes

ROOT = Path(__file__).parent.parent
UV = ROOT / ".venv-infra" / "bin" / "uv"

RUNTIME = "3.13"
"""Python of the Lambda runtime that the shipped packages are for."""

GLIBC_MAX = 34
"""Amazon Linux 2023, under all Python runtimes of Lambda from 3.12 on, has glibc 2.34."""

ELF_MACHINES = {"arm64": 183, "x86_64": 62}
"""``e_machine`` of the ELF header: EM_AARCH64 and EM_X86_64."""

PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}

ZIPPED_MAX = {"api": 20_000_000, "transform": 30_000_000, "secrets": 25_000_000}
"""Bytes; what a function has to fetch before it starts."""
UNZIPPED_MAX = 250 * 1024 * 1024
"""Bytes, a quota of Lambda."""

AWS_SERVICES = {
    "api": frozenset({"cloudfront", "dynamodb", "lambda", "s3", "sqs", "sts"}),
    "transform": frozenset({"dynamodb", "s3", "sqs", "sts"}),
    "secrets": frozenset({"cloudfront-keyvaluestore", "dynamodb", "sts"}),
}
"""Of botocore's four hundred descriptions of services, those that are spoken to."""
BOTOCORE_FILES = frozenset({"endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"})

NOT_OURS = ("darkroom/cli/", "darkroom/client/", "darkroom/embedded/")
"""Folders of this project that no function runs."""
FOR_PEOPLE = ("darkroom/cost/", "darkroom/http/", "darkroom/web/")
"""Those that only the API runs."""
NOT_OURS_BESIDES: dict[str, tuple[str, ...]] = {"api": (), "transform": FOR_PEOPLE, "secrets": FOR_PEOPLE}
"""Likewise, of one kind."""

LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|tests?|(?<!botocore/)docs|examples|include)/"
    r"|\.(pyi|pyc|h|c|js\.map)$"
    r"|\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|WHEEL|sboms/.*)$"
    r"|^PIL/(_avif|_webp|_imagingft|_imagingcms|_imagingmath|_imagingmorph|_imagingtk)\."
    r"|^PIL/(\w+ImagePlugin|ImageFont|ImageFilter|ImageDraw2?|ImageQt|ImageTk|ImageShow|ImageMath|Pdf\w+|\w+FontFile)\.py$"
    r"|^pydantic/(v1/|mypy\.py)|^urllib3/contrib/emscripten/|^dateutil/zoneinfo/.*\.gz$|^cffi/(recompiler|setuptools_ext)\.py$"
    r"|^aws_lambda_powertools/(event_handler/|utilities/(?!__init__|batch/|data_classes/|jmespath_utils/|parser/|typing/))"
    r"|^bin/|^\.lock$"
)
"""What is installed and never run. Of Pillow, pillow-heif takes pixels only: no fonts, profiles, other formats."""

BUNDLED = re.compile(rb"lib[a-zA-Z0-9_+.-]+-[0-9a-f]{8}\.so[.0-9]*")
"""The name of a shared library in a wheel's own folder of them, as those say it that need it."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The moment of every file in a zip: the earliest that its format knows."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a package has to run on."""

    architecture: str
    python: str

    @property
    def tags(self) -> tuple[str, ...]:
        """What the name of an extension module may say about its Python."""
        return (f".cpython-{self.python.replace('.', '')}-", ".abi3.")


def main() -> None:
    """Build everything, and tell what it is and how large."""
    parser = argparse.ArgumentParser(description="Build what is deployed on AWS.")
    parser.add_argument(
        "--recipes", type=Path, metavar="FILE", help="recipe file (docs/recipes.md); none: the defaults"
    )
    parser.add_argument("--default-image", type=Path, metavar="FILE", help="picture shown where there is none")
    parser.add_argument("--arch", choices=sorted(PLATFORMS), default="arm64", help="machine of the functions")
    parser.add_argument("--python", default=RUNTIME, metavar="VERSION", help="Python of the functions")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "aws", metavar="DIR", help="where to write")
    given = parser.parse_args()
    target = Target(given.arch, given.python)
    if compiler(target) is None:
        print(f"There is no python{target.python} here to make bytecode with: functions will start more slowly.")
    for path in package(given.out, target, given.recipes, given.default_image):
        print(f"{path.stat().st_size / 1e3:10,.0f} kB  {path}")


def package(
    out: Path,
    target: Target,
    recipe_file: Path | None = None,
    picture: Path | None = None,
    kinds: tuple[str, ...] = ("api", "transform", "secrets"),
) -> list[Path]:
    """Write zips and templates into ``out``, over older ones; return their paths."""
    recipes = load_recipes(recipe_file)
    extra = {}
    if recipe_file is not None:
        extra["recipes.toml"] = recipe_file.read_bytes()
    if picture is not None:
        extra["default-image"] = picture.read_bytes()
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for kind in kinds:
        files = _contents(kind, target) | extra
        body = zipped(files)
        check(files, len(body), kind, target)
        made.append(_write(out / f"{kind}.zip", body))
    made.append(_write(out / "edge.zip", zipped(edge_contents(recipes, picture))))
    text = rendering.template(
        recipes,
        architecture=target.architecture,
        own_recipes=recipe_file is not None,
        own_default=picture is not None,
        runtime=f"python{target.python}",
    )
    made.append(_write(out / "template.yaml", text.encode()))
    beside = ("edge.yaml", "replica.yaml")
    return made + [_write(out / name, (rendering.FOLDER / name).read_bytes()) for name in beside]


def edge_contents(recipes: tuple[Recipe, ...], picture: Path | None) -> dict[str, bytes]:
    """Return the files of the Lambda@Edge package: the function, and the default image as it is shown."""
    assets = ObjectBucket.memory()
    shelve_defaults(assets, InlineTransform(), recipes, picture)
    key = default_key(*rendering.default_image(recipes))
    stored = assets.get(key)
    default = {
        "path": f"/{key}",
        "content_type": stored.content_type,
        "body": base64.b64encode(stored.body).decode(),
    }
    code = (rendering.EDGE / "origin_response.py").read_bytes()
    return {"origin_response.py": code, "default.json": json.dumps(default).encode()}


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip of the files; the same bytes for the same files."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever this is
            entry.external_attr = (0o755 if _is_library(name) else 0o644) << 16
            archive.writestr(entry, files[name])
    return body.getvalue()


def check(files: dict[str, bytes], size: int, kind: str, target: Target) -> None:
    """Refuse a package that would not run, or start too slowly. Raises ``ValueError`` with everything that is wrong."""
    wrong = []
    bundled = {name.rpartition("/")[2].encode() for name in files}
    for name, content in sorted(files.items()):
        if _is_library(name):
            wrong += [f"{name} {what}" for what in _faults(name, content, target)]
            missing = set(BUNDLED.findall(content)) - bundled
            wrong += [f"{name} needs {each.decode()}, which is not there" for each in sorted(missing)]
    if size > ZIPPED_MAX[kind]:
        wrong.append(f"has {size} bytes, more than {ZIPPED_MAX[kind]}")
    unzipped = sum(map(len, files.values()))
    if unzipped > UNZIPPED_MAX:
        wrong.append(f"has {unzipped} bytes unzipped, more than {UNZIPPED_MAX}")
    if wrong:
        msg = f"{kind}.zip for {target.architecture}, Python {target.python}: " + "; ".join(wrong)
        raise ValueError(msg)


def _is_library(name: str) -> bool:
    return re.search(r"\.so(\.\d+)*$", name) is not None


def _faults(name: str, content: bytes, target: Target) -> list[str]:
    """Return what keeps a shared library from being loaded on the target."""
    if content[:6] != b"\x7fELF\x02\x01":
        return ["is no 64-bit little-endian ELF file"]
    faults = []
    machine = struct.unpack_from("<H", content, 18)[0]
    if machine != ELF_MACHINES[target.architecture]:
        faults.append(f"is for machine {machine}, not {ELF_MACHINES[target.architecture]}")
    newest = max((int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", content)), default=0)
    if newest > GLIBC_MAX:
        faults.append(f"needs glibc 2.{newest}; there is 2.{GLIBC_MAX}")
    if ".cpython-" in name and not any(tag in name for tag in target.tags):
        faults.append(f"is for another Python than {target.python}")
    return faults


def _contents(kind: str, target: Target) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        _install(kind, target, Path(folder))
        found = _files(Path(folder), AWS_SERVICES[kind])
    left_out = (*NOT_OURS, *NOT_OURS_BESIDES[kind])
    source = _files(ROOT / "src", frozenset())
    ours = {name: content for name, content in source.items() if not name.startswith(left_out)}
    theirs = _needed(found)
    moved = _sourceless(bytecode(theirs, target), theirs)
    return theirs | moved | ours | bytecode(ours, target)


def _sourceless(made: dict[str, bytes], files: dict[str, bytes]) -> dict[str, bytes]:
    """Move bytecode to where its source is, and take that out of ``files``: nobody reads other people's code there."""
    moved = {}
    for name, content in made.items():
        folder, _, module = name.rpartition("__pycache__/")
        stem = folder + module.split(".")[0]
        files.pop(f"{stem}.py", None)
        moved[f"{stem}.pyc"] = content
    return moved


def compiler(target: Target) -> str | None:
    """Return a Python of the target's version on this machine, if there is one: bytecode is made for one only."""
    if target.python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = shutil.which(f"python{target.python}")
    # Of some, only the name is there: pyenv's, for versions that are not chosen.
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode != 0:
        return None
    return found


def bytecode(files: dict[str, bytes], target: Target) -> dict[str, bytes]:
    """Return the bytecode of all modules, so that a function that starts need not make it; nothing without a compiler.

    It is never compared with its source, because times of files mean nothing in a package.
    """
    python = compiler(target)
    if python is None:
        return {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, content in files.items():
            if name.endswith(".py"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        command = [python, "-I", "-m", "compileall", "-q", "-j", "1", "-s", place, "-p", "/var/task"]
        command += ["--invalidation-mode", "unchecked-hash", place]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]})
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.pyc")}


def _needed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files without bundled libraries that no other of them asks for."""
    bundled = {name.rpartition("/")[2].encode(): name for name in files if ".libs/" in name}
    asking = [name for name in files if _is_library(name) and ".libs/" not in name]
    kept: set[str] = set()
    while asking:
        asked = {bundled[each] for each in BUNDLED.findall(files[asking.pop()]) if each in bundled}
        asking += asked - kept
        kept |= asked
    return {name: content for name, content in files.items() if ".libs/" not in name or name in kept}


def _install(kind: str, target: Target, folder: Path) -> None:
    """Install the hashed list of a kind into ``folder``, as wheels for the target."""
    locked = (ROOT / "requirements" / f"lambda-{kind}.txt").read_text()
    locked, pyvips = _without("pyvips", locked)
    (folder / ".list").write_text(locked)
    command: list[str | Path] = [UV, "pip", "install", "--quiet", "--target", folder, "--python", sys.executable]
    command += ["--python-platform", PLATFORMS[target.architecture], "--python-version", target.python]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--link-mode", "copy"]
    subprocess.run([*command, "-r", folder / ".list"], check=True, env=os.environ | {"UV_PYTHON_DOWNLOADS": "never"})
    (folder / ".list").unlink()
    if pyvips is not None:
        _copy_pyvips(pyvips, folder)


def _copy_pyvips(version: str, folder: Path) -> None:
    """Copy pyvips from this environment: it ships no wheel, and is pure Python. Its library is pyvips-binary's."""
    installed = distribution("pyvips")
    if installed.version != version:
        msg = f"pyvips {installed.version} is installed, and requirements/ asks for {version}; run `make install`"
        raise ValueError(msg)
    for path in installed.files or ():
        if path.suffix == ".py" and path.parts[0] == "pyvips":
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(installed.locate_file(path)), folder / path)


def _without(name: str, locked: str) -> tuple[str, str | None]:
    """Return a list of requirements without one of them, and which version of that there was."""
    found = re.search(rf"(?m)^{name}==(\S+) \\\n(?:[ #].*\n)*", locked)
    if found is None:
        return locked, None
    return locked[: found.start()] + locked[found.end() :], found[1]


def _files(folder: Path, services: frozenset[str]) -> dict[str, bytes]:
    """Return all files under ``folder`` that a function may need, by their names in the package."""
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not LEFT_OUT.search(name) and _is_spoken_to(name, services):
            files[name] = path.read_bytes()
    return files


def _is_spoken_to(name: str, services: frozenset[str]) -> bool:
    """Tell whether a file is none of botocore's descriptions of services, or one of a service that is used."""
    if not name.startswith("botocore/data/"):
        return True
    inner = name.removeprefix("botocore/data/")
    return inner.partition("/")[0] in services or inner.partition(".gz")[0] in BOTOCORE_FILES


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


if __name__ == "__main__":
    main()
