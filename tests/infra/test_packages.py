"""What is packaged runs where it is to run, is small, and is the same each time."""

import io
import json
import struct
import subprocess
import sys
import zipfile

import pytest

import package
import pictures
from package import Target, check, zipped
from package import package as build

KINDS = ("api", "transform", "secrets")
ZIPS = {f"{kind}.zip" for kind in KINDS}
SHIPPED = Target("arm64", package.RUNTIME)
HERE = Target("x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")


def library(machine, glibc="GLIBC_2.17", rest=b""):
    return b"\x7fELF\x02\x01" + b"\0" * 12 + struct.pack("<H", machine) + glibc.encode() + b"\0" + rest


ARM = package.ELF_MACHINES["arm64"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.so", library(62), "is for machine 62, not 183"),
        ("a.so.1.2", library(ARM, "GLIBC_2.38"), "needs glibc 2.38; there is 2.34"),
        ("a.cpython-311-aarch64-linux-gnu.so", library(ARM), "is for another Python than 3.13"),
        ("a.so", b"MZ", "is no 64-bit little-endian ELF file"),
        ("a.so", library(ARM, rest=b"libgone-0123abcd.so.1\0"), "needs libgone-0123abcd.so.1, which is not there"),
    ],
)
def test_a_library_that_would_not_load_is_refused(name, content, complaint):
    with pytest.raises(ValueError, match=r"^api\.zip for arm64, Python 3\.13: ") as refused:
        check({name: content}, 1, "api", SHIPPED)
    assert complaint in str(refused.value)


def test_a_package_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match="more than 30000000"):
        check({}, 30_000_001, "transform", SHIPPED)


def test_libraries_that_fit_pass():
    files = {
        "a.abi3.so": library(ARM, rest=b"libb-0123abcd.so.1\0"),
        "a.libs/libb-0123abcd.so.1": library(ARM, "GLIBC_2.34"),
        "c.cpython-313-aarch64-linux-gnu.so": library(ARM),
    }
    check(files, 1, "api", SHIPPED)


def test_a_zip_of_the_same_files_has_the_same_bytes_in_any_order():
    files = {"b/two.py": b"2", "a.py": b"1", "c.so": b"3"}
    assert zipped(files) == zipped(dict(reversed(files.items())))
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        assert archive.namelist() == ["a.py", "b/two.py", "c.so"]
        assert {each.date_time for each in archive.infolist()} == {package.EPOCH}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    build(folder, SHIPPED)
    return folder


def test_what_is_shipped_passes_its_checks_and_is_complete(shipped):
    names = {path.name for path in shipped.iterdir()}
    assert names == {*ZIPS, "edge.zip", "template.yaml", "edge.yaml", "replica.yaml"}
    for kind in KINDS:
        with zipfile.ZipFile(shipped / f"{kind}.zip") as archive:
            files = {each: archive.read(each) for each in archive.namelist()}
        check(files, (shipped / f"{kind}.zip").stat().st_size, kind, SHIPPED)
        assert "darkroom/service.py" in files
        assert not any(name.startswith(("darkroom/cli/", "darkroom/embedded/", "pip/")) for name in files)
        services = {name.split("/")[2] for name in files if name.startswith("botocore/data/") and name.count("/") > 2}
        assert services == package.AWS_SERVICES[kind]


def test_pages_and_the_bill_are_in_the_package_of_the_api_and_in_no_other(shipped):
    for kind in KINDS:
        with zipfile.ZipFile(shipped / f"{kind}.zip") as archive:
            names = archive.namelist()
        there = {
            folder
            for folder in ("web", "cost", "http")
            if any(each.startswith(f"darkroom/{folder}/") for each in names)
        }
        assert there == ({"web", "cost", "http"} if kind == "api" else set())
        assert any(each.startswith("jinja2/") for each in names) == (kind == "api")


@pytest.mark.parametrize("kind", ["api", "secrets"])
def test_what_decodes_nothing_has_no_decoders(shipped, kind):
    with zipfile.ZipFile(shipped / f"{kind}.zip") as archive:
        names = archive.namelist()
    assert not [name for name in names if name.startswith(("pyvips", "_libvips", "PIL", "pillow"))]
    assert (shipped / f"{kind}.zip").stat().st_size < (shipped / "transform.zip").stat().st_size * 0.6


def test_only_what_signs_for_all_regions_carries_what_it_takes(shipped):
    for kind in KINDS:
        with zipfile.ZipFile(shipped / f"{kind}.zip") as archive:
            assert ("awscrt/auth.py" in archive.namelist() or "awscrt/auth.pyc" in archive.namelist()) == (
                kind == "secrets"
            )


def test_the_same_input_gives_the_same_bytes(shipped, tmp_path):
    # Of the zips one, for time: what makes them the same is the same for all.
    for path in build(tmp_path, SHIPPED, kinds=("api",)):
        assert path.read_bytes() == (shipped / path.name).read_bytes(), path.name


def test_bytecode_comes_along_where_it_can_be_made_and_is_the_same_each_time():
    files = {"one.py": b"VALUE = {'a', 'b'}\n", "two/three.py": b"def four(): return 5\n"}
    made = package.bytecode(files, HERE)
    tag = sys.implementation.cache_tag
    assert set(made) == {f"__pycache__/one.{tag}.pyc", f"two/__pycache__/three.{tag}.pyc"}
    assert made == package.bytecode(dict(reversed(files.items())), HERE)
    flags = {content[4:8] for content in made.values()}
    assert flags == {b"\x01\0\0\0"}, "hashed, and never checked against a source"
    assert package.bytecode(files, Target("arm64", "3.99")) == {}


def test_the_template_names_what_was_packaged(shipped, tmp_path):
    plain = (shipped / "template.yaml").read_text()
    assert "    Default: /default/small.jpg\n" in plain
    assert 'const FORMATS={"large":[["image/avif","avif"],["image/jpeg","jpg"]]' in plain
    recipes = tmp_path / "recipes.toml"
    recipes.write_text('[variants.tiny]\nwidth = 9\nheight = 9\nformats = ["webp"]\n')
    text = package.rendering.template(
        package.load_recipes(recipes), architecture="x86_64", own_recipes=True, own_default=True, runtime="python3.12"
    )
    assert "    Default: /default/tiny.webp\n" in text
    assert 'const FORMATS={"tiny":[["image/webp","webp"]]};' in text
    assert "    Default: /var/task/recipes.toml\n" in text
    assert "    Default: /var/task/default-image\n" in text
    assert "    Runtime: python3.12\n" in text
    assert "    Default: x86_64\n" in text


PROBE = """
import sys
sys.path[:] = [sys.argv[1], *(each for each in sys.path if "site-packages" not in each)]
import botocore.session, obstore, pydantic
import darkroom.service
services = ["dynamodb", "s3", "sqs"]
if sys.argv[2] == "transform":
    import darkroom.serverless.object_created, darkroom.serverless.render, darkroom.serverless.iiif
elif sys.argv[2] == "secrets":
    import darkroom.serverless.edge_secrets, awscrt.auth
    services = ["dynamodb", "cloudfront-keyvaluestore"]
else:
    import darkroom.serverless.api, darkroom.serverless.purge, darkroom.serverless.sweep
    services += ["cloudfront", "lambda"]
session = botocore.session.get_session()
for service in services:
    session.create_client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
if sys.argv[2] == "transform":
    from pathlib import Path
    from darkroom.edge.defaults import packaged
    from darkroom.transform import Order
    from darkroom.transform.inline import InlineTransform
    from darkroom.transform.recipes import DEFAULT_RECIPES
    import io
    made = InlineTransform().render(io.BytesIO(packaged().body), Order(recipes=DEFAULT_RECIPES))
    assert len(made.slots) == 6
    for path in sys.argv[3:]:
        made = InlineTransform().render(open(path, "rb"), Order(recipes=DEFAULT_RECIPES))
        assert len(made.slots) == 6, path
elif sys.argv[2] == "api":
    import darkroom.http.app
    from darkroom.web.rendering import Renderer
    pages = Renderer("https://a.example", "https://b.example")
    for name in pages._templates.list_templates():
        pages._templates.get_template(name)
    assert {"pages.css", "add.js", "icon.svg"} <= pages.files.keys()
    from darkroom.web import estimates
    assert estimates.estimate({}, dict).itemised.total > 0
outside = {
    name for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", None) or "")
}
print(sorted(outside))
"""


def bodies():
    return (
        pictures.jpeg(64, 48),
        pictures.heic(64, 48),
        pictures.avif(64, 48),
        pictures.webp(64, 48),
        pictures.gif(),
        pictures.tiff(64, 48),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_is_enough_by_itself(kind, tmp_path_factory, tmp_path):
    folder = tmp_path_factory.getbasetemp() / "here"
    if not folder.exists():
        build(folder, HERE)
    with zipfile.ZipFile(folder / f"{kind}.zip") as archive:
        archive.extractall(tmp_path)
    samples = [tmp_path / name for name in ("a.jpg", "a.heic", "a.avif", "a.webp", "a.gif", "a.tiff")]
    for path, body in zip(samples, bodies(), strict=True):
        path.write_bytes(body)
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROBE, tmp_path, kind, *samples], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.replace("'", '"')) == []
