"""The default image in every size: made when it has to be, from what the operator says."""

import dataclasses
import io

import pytest
from PIL import Image

import pictures
from darkroom import ledger
from darkroom.bucket.objects import ObjectBucket
from darkroom.edge.defaults import default_objects, distrust_defaults, packaged, shelve_defaults
from darkroom.errors import BadConfiguration, RenderFailed
from darkroom.model import Format
from darkroom.names import default_key
from darkroom.transform.inline import InlineTransform
from darkroom.transform.recipes import DEFAULT_RECIPES, Recipe

SMALL = (
    Recipe(name="card", width=200, height=200, formats=(Format.JPEG,), quality={Format.JPEG: 80}),
    Recipe(name="icon", width=32, height=32, formats=(Format.WEBP, Format.PNG), quality={Format.WEBP: 80}),
)


class Counting(InlineTransform):
    def __init__(self):
        self.renders = 0

    def render(self, original, order):
        self.renders += 1
        return super().render(original, order)


@pytest.fixture
def assets():
    return ObjectBucket.memory()


@pytest.fixture
def transform():
    return Counting()


@pytest.fixture
def original(tmp_path):
    path = tmp_path / "nothing.png"
    path.write_bytes(pictures.png(400, 300))
    return path


def keys(assets):
    return {stat.key for stat in assets.list("default/")} - {"default/ledger.json"}


def test_the_packaged_image_is_small_grey_and_has_no_transparency():
    shown = packaged()
    assert shown.content_type == "image/png"
    assert len(shown.body) < 20_000
    picture = Image.open(io.BytesIO(shown.body))
    assert picture.size == (1920, 1440)
    assert "transparency" not in picture.info
    red, green, blue = picture.convert("RGB").split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()
    greys = red.tobytes()
    assert max(greys) - min(greys) > 40


def test_every_slot_of_every_recipe_is_made(assets, transform, original):
    assert shelve_defaults(assets, transform, SMALL, original)
    assert keys(assets) == {default_key("card", "jpg"), default_key("icon", "webp"), default_key("icon", "png")}
    card = assets.get(default_key("card", "jpg"))
    assert card.content_type == "image/jpeg"
    assert Image.open(io.BytesIO(card.body)).size == (200, 150)


def test_the_packaged_image_is_made_when_the_operator_has_none(assets, transform):
    shelve_defaults(assets, transform, DEFAULT_RECIPES)
    large = Image.open(io.BytesIO(assets.get(default_key("large", "jpg")).body)).convert("L")
    assert large.size == (1920, 1440)
    assert large.getpixel((5, 5)) == pytest.approx(0xE6, abs=2)


def test_a_second_start_makes_nothing(assets, transform, original):
    shelve_defaults(assets, transform, SMALL, original)
    assert not shelve_defaults(assets, transform, list(SMALL), original)
    assert transform.renders == 1


def test_another_picture_replaces_them(assets, transform, original):
    shelve_defaults(assets, transform, SMALL, original)
    original.write_bytes(pictures.png(300, 300))
    assert shelve_defaults(assets, transform, SMALL, original)
    assert Image.open(io.BytesIO(assets.get(default_key("card", "jpg")).body)).size == (200, 200)


def test_other_recipes_replace_them_and_what_nobody_asks_for_any_more_goes(assets, transform, original):
    shelve_defaults(assets, transform, SMALL, original)
    fewer = (dataclasses.replace(SMALL[0], width=100, height=100),)
    assert shelve_defaults(assets, transform, fewer, original)
    assert keys(assets) == {default_key("card", "jpg")}
    assert Image.open(io.BytesIO(assets.get(default_key("card", "jpg")).body)).size == (100, 75)


def test_a_start_that_was_cut_off_is_done_again(assets, original):
    class Crashing(ObjectBucket):
        def put(self, key, body, *, content_type, create_only=False):
            if key.endswith(".png"):
                msg = "the power is gone"
                raise OSError(msg)
            return super().put(key, body, content_type=content_type, create_only=create_only)

    with pytest.raises(OSError, match="power"):
        shelve_defaults(Crashing(assets._store), InlineTransform(), SMALL, original)
    assert keys(assets) < default_objects(assets).keys(), "no object is put before somebody owns it"
    assert shelve_defaults(assets, InlineTransform(), SMALL, original)
    assert len(keys(assets)) == 3


def test_the_ledger_names_all_there_is_with_its_checksum(assets, transform, original):
    assert default_objects(assets) == {}
    shelve_defaults(assets, transform, SMALL, original)
    owned = default_objects(assets)
    assert owned.pop("default/ledger.json") is None
    assert owned == {key: ledger.checksum(assets.get(key).body) for key in keys(assets)}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"made_from": "x"}', b'{"made_from": 1, "objects": 2}'])
def test_a_ledger_that_cannot_be_read_is_made_anew(assets, transform, original, text):
    shelve_defaults(assets, transform, SMALL, original)
    assets.put("default/ledger.json", text, content_type="application/json")
    assert default_objects(assets) == {}
    assert shelve_defaults(assets, transform, SMALL, original)


def test_what_is_distrusted_is_made_anew_at_the_next_start_and_has_an_owner_until_then(assets, transform, original):
    shelve_defaults(assets, transform, SMALL, original)
    distrust_defaults(assets)
    assert keys(assets) < default_objects(assets).keys()
    assert shelve_defaults(assets, transform, SMALL, original)
    assert transform.renders == 2


def test_a_default_image_that_is_none_names_the_setting(assets, transform, tmp_path):
    with pytest.raises(BadConfiguration, match=r"DARKROOM_DEFAULT_IMAGE.*cannot be read"):
        shelve_defaults(assets, transform, SMALL, tmp_path / "absent.png")
    text = tmp_path / "text.png"
    text.write_text("this is no picture")
    with pytest.raises(BadConfiguration, match=r"DARKROOM_DEFAULT_IMAGE.*text.png"):
        shelve_defaults(assets, transform, SMALL, text)


def test_a_transform_in_trouble_is_not_the_settings_fault(assets, original):
    class Failing:
        def render(self, original, order):
            raise RenderFailed("the worker died")

        def close(self):
            pass

    with pytest.raises(RenderFailed):
        shelve_defaults(assets, Failing(), SMALL, original)
    assert keys(assets) == set()
