"""What the service says of itself: its interface, its pages, its limits, its figures."""

import re

import httpx
import pytest

import pictures
from patience import eventually, ready


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as opened:
        yield opened


def test_the_interface_is_described_completely(client):
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert set(paths) >= {
        "/v1/images",
        "/v1/uploads",
        "/v1/images/{id}",
        "/v1/images/{id}/original",
        "/v1/images/{id}/reprocess",
        "/v1/variants",
        "/v1/limits",
        "/v1/usage",
        "/v1/keys",
        "/healthz",
    }
    for path, operations in paths.items():
        for operation in operations.values():
            errors = operation["responses"]["4XX"]["content"]
            assert list(errors) == ["application/problem+json"], path
    image = document["components"]["schemas"]["ImageDocument"]
    assert set(image["required"]) == set(image["properties"])
    names = {parameter["name"] for parameter in paths["/v1/images"]["get"]["parameters"]}
    assert names >= {"tag", "album", "q", "format", "orientation", "min_width", "uploaded_after", "state", "cursor"}


def test_an_image_has_exactly_the_described_members(client):
    schema = client.get("/openapi.json").json()["components"]["schemas"]
    image = ready(client, pictures.jpeg(50, 40, exif=pictures.camera_exif()))
    assert set(image) == set(schema["ImageDocument"]["properties"])
    assert set(image["source"]) == set(schema["SourceDocument"]["properties"])
    assert set(image["exif"]) == set(schema["ExifDocument"]["properties"])
    assert set(image["variants"][0]) == set(schema["VariantDocument"]["properties"])


def test_the_page_of_the_interface_needs_no_other_host(client):
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"].split("script-src")[1].split(";")[0]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert links
    for link in links:
        assert link.startswith("/docs/")
        assert client.get(link).status_code == 200
    for name in ("../about.py", "..%2fabout.py", "swagger-ui.js.map", "index.html"):
        assert client.get(f"/docs/{name}").status_code == 404


def test_limits_and_variants_are_told(client):
    assert client.get("/v1/limits").json() == {
        "ticket_bytes": 64 * 2**20,
        "post_bytes": 4 * 2**20,
        "pixels": 100_000_000,
        "side": 32_767,
        "frames": 1_000,
        "tags": 50,
        "ticket_seconds": 900,
        "part_bytes": 8 * 2**20,
        "parts_seconds": 86_400,
        "owner_images": None,
        "owner_bytes": None,
        "owner_open_tickets": None,
        "rate": None,
    }
    variants = client.get("/v1/variants").json()["items"]
    assert [(v["name"], v["width"], v["height"], v["fit"], v["formats"]) for v in variants] == [
        ("large", 1920, 1920, "inside", ["avif", "jpeg"]),
        ("medium", 1080, 1080, "inside", ["avif", "jpeg"]),
        ("small", 320, 320, "inside", ["avif", "jpeg"]),
    ]


def figure(client, name, **labels):
    text = client.get("/metrics").text
    total = 0.0
    for line in text.splitlines():
        match = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if match and all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()):
            total += float(match[2])
    return total


def test_figures_count_what_happens(client):
    ready_before = figure(client, "darkroom_transforms_total", outcome="ready")
    refused_before = figure(client, "darkroom_requests_total", route="/v1/images", status="415")
    image = ready(client, pictures.jpeg(70, 50))
    client.post("/v1/images", content=b"no image")
    for _ in range(20):
        client.get(f"/i/{image['id']}/small.jpg")
    assert figure(client, "darkroom_transforms_total", outcome="ready", format="jpeg") >= ready_before + 1
    assert figure(client, "darkroom_requests_total", route="/v1/images", status="415") == refused_before + 1
    assert figure(client, "darkroom_transform_seconds_sum") > 0
    assert figure(client, "darkroom_variant_bytes_total", format="avif") > 0
    eventually(
        lambda: figure(client, "darkroom_deliveries_total", outcome="hot") >= 19, what="deliveries being counted"
    )
    assert figure(client, "darkroom_queue_events", state="buried") == 0


def test_labels_of_figures_are_no_stranger_s_words(client):
    client.get("/v1/images/" + "z" * 26)
    client.get("/invented/path")
    text = client.get("/metrics").text
    assert "zzz" not in text
    assert "invented" not in text
