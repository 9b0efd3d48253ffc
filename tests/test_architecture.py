"""The import rule: who may know whom, read from the source by its syntax tree."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "darkroom"

WORDS = {"darkroom", "darkroom.model", "darkroom.errors", "darkroom.names"}
PORTS = {
    *(
        f"darkroom.{port}"
        for port in (
            "bucket",
            "uploads",
            "events",
            "transform",
            "access",
            "catalog",
            "edge",
            "figures",
            "results",
            "jobs",
        )
    ),
    "darkroom.ledger",
    "darkroom.steps",
    "darkroom.transform.recipes",
    "darkroom.transform.plan",
    "darkroom.transform.sniff",
    "darkroom.transform.options",
    "darkroom.transform.geometry",
    "darkroom.transform.sources",
    "darkroom.catalog.quotas",
    "darkroom.catalog.labels",
    "darkroom.catalog.terms",
    "darkroom.catalog.documents",
    "darkroom.catalog.cursors",
    "darkroom.catalog.colors",
    "darkroom.catalog.questions",
    "darkroom.catalog.perceptual_hash",
    "darkroom.events.documents",
    "darkroom.jobs.documents",
    "darkroom.edge.paths",
    "darkroom.edge.negotiation",
    "darkroom.edge.signatures",
    "darkroom.edge.iiif",
    "darkroom.access.signing",
}
CORE = {
    *(
        f"darkroom.{name}"
        for name in (
            "service",
            "arrival",
            "trials",
            "rules",
            "upkeep",
            "settings",
            "ondemand",
            "inparts",
            "sweep",
            "audit",
            "verify",
            "failures",
            "overview",
            "library",
            "copies",
            "bulk",
            "turns",
        )
    ),
    *(f"darkroom.{name}" for name in ("holdings", "transfer", "exports", "files", "trust")),
    *(
        f"darkroom.cost{name}"
        for name in (
            "",
            ".numbers",
            ".prices",
            ".scenario",
            ".measured",
            ".presets",
            ".bill",
            ".drawing",
            ".eager",
            ".levers",
            ".chart",
        )
    ),
    *(
        f"darkroom.capacity{name}"
        for name in ("", ".assumptions", ".chances", ".popular", ".edge", ".backlog", ".heat", ".ceilings", ".forecast")
    ),
}
ADAPTER_FOLDERS = (
    *("bucket", "uploads", "events", "transform", "access", "catalog", "edge", "figures", "results", "jobs"),
    "client",
)
# What several adapters stand on: how one kind of store is spoken to.
SHARED = {"darkroom.sqlite", "darkroom.dynamodb", "darkroom.aws"}
FACE_FOLDERS = ("http", "web")
DEPLOYMENT_FOLDERS = ("embedded", "serverless", "cli", "__main__")

# One third-party library (or delicate part of the standard one) lives in one place.
HOMES = {
    "pyvips": {f"transform/{name}.py" for name in ("vips", "auto_quality", "content", "encode", "retouch")},
    "pillow_heif": {"transform/vips.py"},
    "jinja2": {"web/rendering.py"},
    "imagesize": {"transform/headers.py"},
    "obstore": {"bucket/objects.py"},
    "prometheus_client": {"figures/prometheus.py"},
    "sqlite3": {
        *("sqlite.py", "catalog/sqlite.py", "catalog/sqlite_labels.py", "catalog/sqlite_search.py"),
        *("events/sqlite.py", "access/sqlite.py", "results/sqlite.py", "jobs/sqlite.py"),
    },
    "aws_lambda_powertools": {
        *("figures/emf.py", "serverless/logs.py"),
        *(
            f"serverless/{function}.py"
            for function in (
                *("api", "object_created", "sweep", "purge", "render", "iiif", "answering", "edge_secrets"),
            )
        ),
    },
    "mangum": {"serverless/api.py"},
    "botocore": {"dynamodb.py", "aws.py", "serverless/stack.py"},
    "ctypes": {"transform/sandbox.py"},
    "granian": {"embedded/serve.py"},
    "httpx": {"client/connection.py", "client/calls.py"},
    "rich": {"cli/progress.py", "cli/output.py", "cli/search.py", "cli/images.py", "cli/keys.py"},
    "python_multipart": {"http/small_door.py"},
}
# Our own logic, with no library behind it, that a face is made for: the command line for the client, ASGI for delivery.
FACED = ("darkroom.client", "darkroom.edge.delivery")
FRAMEWORKS = {"fastapi", "starlette", "granian", "httpx", "typer", "rich", "pyvips", "obstore", "sqlite3"}
FRAMEWORKS |= {"boto3", "botocore"}


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, path, ast.parse(path.read_text())


def imported(tree):
    """Every module a file names in an import, type-checking ones included, with the names taken from packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


ALL = list(modules())
NAMES = {name for name, _, _ in ALL}


def layer(name):
    if name in WORDS:
        return 0
    if name in PORTS:
        return 1
    if name in CORE:
        return 2
    folder = name.split(".")[1]
    if folder in ADAPTER_FOLDERS or name in SHARED:
        return 3
    if folder in FACE_FOLDERS:
        return 4
    assert folder in DEPLOYMENT_FOLDERS, f"{name} has no place in the import rule yet"
    return 5


def ours(tree):
    return {name for name in imported(tree) if name in NAMES}


@pytest.mark.parametrize(("name", "tree"), [(n, t) for n, _, t in ALL], ids=[n for n, _, _ in ALL])
def test_imports_point_towards_the_words(name, tree):
    too_high = {other for other in ours(tree) if layer(other) > layer(name)}
    assert not too_high, f"{name} may not know {sorted(too_high)}"


@pytest.mark.parametrize(("name", "tree"), [(n, t) for n, _, t in ALL if layer(n) == 3])
def test_adapters_know_neither_the_core_nor_each_other(name, tree):
    folder = name.split(".")[1]
    others = {
        other
        for other in ours(tree)
        if layer(other) in {2, 3} and other not in SHARED and other.split(".")[1] != folder
    }
    assert not others, f"{name} may not know {sorted(others)}"


@pytest.mark.parametrize(("name", "tree"), [(n, t) for n, _, t in ALL if layer(n) <= 2 and n not in CORE])
def test_words_and_ports_know_no_framework(name, tree):
    known = {module.split(".")[0] for module in imported(tree)} & FRAMEWORKS
    assert not known, f"{name} may not know {known}"


def test_the_service_knows_no_third_party_at_all():
    tree = next(tree for name, _, tree in ALL if name == "darkroom.service")
    assert not {module.split(".")[0] for module in imported(tree)} & (FRAMEWORKS | {"pydantic"} | set(HOMES))


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_library_lives_in_one_place(library):
    users = {
        str(path.relative_to(SOURCE))
        for _, path, tree in ALL
        if any(module.split(".")[0] == library for module in imported(tree))
    }
    assert users <= HOMES[library]
    assert users, f"nobody uses {library}: take it out of this table and of the dependencies"


def test_only_the_settings_read_the_environment():
    readers = set()
    for name, _, tree in ALL:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv"}:
                readers.add(name)
            elif isinstance(node, ast.ImportFrom) and node.module == "os":
                readers |= {name for alias in node.names if alias.name in {"environ", "getenv"}}
    assert readers == {"darkroom.settings"}


def test_only_the_wiring_names_adapters():
    for name, _, tree in ALL:
        if layer(name) < 4 or name.endswith(".wire"):
            continue
        named = {other for other in ours(tree) if layer(other) == 3 and other != name and not other.startswith(FACED)}
        assert not named, f"{name} names adapters: {sorted(named)}"


def test_no_import_has_side_effects():
    allowed = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.Assign,
        ast.AnnAssign,
    )
    for name, _, tree in ALL:
        for node in tree.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            if isinstance(node, ast.If) and (
                "TYPE_CHECKING" in ast.dump(node.test) or "__main__" in ast.dump(node.test)
            ):
                continue
            assert isinstance(node, allowed), f"{name}:{node.lineno} does something when it is imported"
