"""Any size by an address, on every deployment."""

import io
from urllib.parse import urlsplit

import pytest
from PIL import Image

import pictures
from darkroom.model import OriginalPolicy
from deployments import ON_DEMAND
from patience import ready


@pytest.fixture(scope="module", params=sorted(ON_DEMAND))
def on_demand(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"on-demand-{request.param}")
    with ON_DEMAND[request.param](request, folder, OriginalPolicy.DELETE) as client:
        yield client


def test_a_size_nobody_thought_of_is_signed_made_kept_and_deleted_with_its_image(on_demand):
    image = ready(on_demand, pictures.jpeg(300, 200))
    options = "width=123,height=45,fit=cover,gravity=north"
    signed = on_demand.post("/v1/sign", json={"id": image["id"], "options": options, "ext": "webp"}).json()
    address = urlsplit(signed["url"]).path
    first, again = on_demand.get(address), on_demand.get(address)
    assert first.status_code == 200, first.text
    with Image.open(io.BytesIO(first.content)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (123, 45))
    assert first.content == again.content
    assert on_demand.get(address.replace("45", "46")).status_code == 403
    assert on_demand.delete(f"/v1/images/{image['id']}").status_code == 204
    assert on_demand.get(address).status_code == 404
