"""A stack whose messages a test takes to the function by hand, with a proxy between the functions and their stores."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from between import Between, between
from deployed import Deployed, deploying
from hands import Hands, Record


@dataclass(frozen=True)
class ByHand:
    """One deployment, and what a test does with it."""

    deployed: Deployed
    client: httpx.Client
    hands: Hands
    stores: Between
    """What lies between the transform function and S3 and DynamoDB."""
    front: Between
    """Likewise of the API function."""

    def posted(self, body: bytes, **said: str) -> tuple[str, Record]:
        """Upload, and return the image's id and the message of its arrival."""
        answer = self.client.post("/v1/images", files={"file": ("a.jpg", body)}, data=said)
        assert answer.status_code == 202, answer.text
        image_id = str(answer.json()["id"])
        return image_id, self.hands.take_of(image_id)

    def image(self, image_id: str) -> dict[str, Any]:
        """Return an image as its owner sees it."""
        answer = self.client.get(f"/v1/images/{image_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return what lies in ``UploadBucketName`` or ``AssetsBucketName``."""
        found = self.deployed.stack._clients("s3").list_objects_v2(Bucket=self.deployed.outputs[bucket], Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def is_unseen(self, image_id: str, mark: str) -> bool:
        """Tell whether nothing of an image is to be found: by search, and in what its owner is told."""
        found = self.client.get("/v1/images", params={"tag": mark}).json()["items"]
        image = self.image(image_id)
        return not found and not image["variants"] and image["state"] != "ready"

    def is_whole(self, image_id: str, mark: str) -> bool:
        """Tell whether an image is found, and every variant that it tells of is delivered as it says."""
        (found,) = self.client.get("/v1/images", params={"tag": mark}).json()["items"]
        assert found["id"] == image_id
        assert found["state"] == "ready"
        for each in found["variants"]:
            shown = self.client.get(httpx.URL(each["url"]).path)
            assert (shown.status_code, len(shown.content)) == (200, each["bytes"])
        listed = {httpx.URL(each["url"]).path for each in found["variants"]}
        return listed <= {f"/{key}" for key in self.keys("AssetsBucketName", f"i/{image_id}/")}


@pytest.fixture(scope="package")
def _by_hand(emulator, packages) -> Iterator[ByHand]:
    with (
        between(emulator.url) as stores,
        between(emulator.url) as front,
        deploying(emulator, packages) as deployed,
        deployed.client(deployed.new_key()) as client,
    ):
        # First both have to run once: the emulator may still be unpacking what it is then told to start anew.
        deployed.make_defaults()
        assert client.get("/healthz").status_code == 200
        with (
            deployed.configured("TransformFunction", **_through(stores)),
            deployed.configured("ApiFunction", **_through(front)),
        ):
            yield ByHand(deployed, client, Hands(deployed), stores, front)


def _through(proxy: Between) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL_S3": proxy.url, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url}


@pytest.fixture
def by_hand(_by_hand) -> Iterator[ByHand]:
    """The deployment, with nothing in its queues, and its stores as they should be."""

    def heal() -> None:
        _by_hand.stores.heal()
        _by_hand.front.heal()

    heal()
    _by_hand.hands.clear()
    yield _by_hand
    heal()
    assert _by_hand.stores.failed == _by_hand.front.failed == []
