"""What Lambda takes in and gives out at once is bounded: the longest pages and forms stay under it."""

import dataclasses

import pytest

from darkroom.catalog.terms import PAGE_MAX
from darkroom.http.small_door import FORM_OVERHEAD
from darkroom.model import Format, Variant
from darkroom.serverless.wire import LARGEST_ANSWER_BYTES
from darkroom.settings import CloudSettings
from darkroom.web.rendering import Renderer
from libraries import full_image

LAMBDA_BYTES = 6 * 1024 * 1024
"""A quota of Lambda: of an event, and of an answer."""
EVENT_BYTES = 64 * 1024
"""Far more than the headers of a request may have (10,240 bytes) and what API Gateway says of it."""
WORST = "&" * 500
"""Text that is five times as long once it is escaped."""


@pytest.fixture(scope="module")
def renderer():
    host = f"https://{'d' * 40}.cloudfront.net"
    return Renderer("https://api.example", host, "https://uploads.example/originals/")


def shown(renderer, template, **values):
    page = renderer.page(template, csrf="0" * 32, signed_in=True, here="/", **values)
    return len(page.body)


def longest():
    """An image with four sizes in both formats, and all text as long as it may be."""
    image = full_image()
    variants = tuple(
        Variant(
            name=f"{number}" * 40,
            format=kind,
            width=320 + number,
            height=240,
            bytes=10**7,
            key=f"i/{image.id}/{str(number) * 40}.{kind.value}",
        )
        for number in range(4)
        for kind in (Format.AVIF, Format.JPEG)
    )
    tags = tuple(f"{WORST[:60]}{number:02}" for number in range(50))
    return dataclasses.replace(image, title=WORST, album=WORST[:64], tags=tags, variants=variants)


def test_a_gallery_of_as_many_images_as_there_may_be_with_the_longest_names(renderer):
    assert PAGE_MAX * shown(renderer, "one_tile.html", image=longest()) < LARGEST_ANSWER_BYTES


def test_each_file_beside_the_pages(renderer):
    assert max(len(each.body) for each in renderer.files.values()) < LARGEST_ANSWER_BYTES


def test_an_answer_of_bytes_is_a_third_longer_on_its_way():
    assert LARGEST_ANSWER_BYTES * 4 / 3 + EVENT_BYTES < LAMBDA_BYTES


def test_a_form_with_the_largest_file_is_an_event_that_lambda_takes():
    largest = CloudSettings.model_fields["max_post_bytes"].default
    assert (largest + FORM_OVERHEAD) * 4 / 3 + EVENT_BYTES < LAMBDA_BYTES
