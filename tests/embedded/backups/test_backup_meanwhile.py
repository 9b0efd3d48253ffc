"""What becomes of a backup when the service goes on between the copy of its databases and that of its objects."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pictures
from clock import Clock
from darkroom import names
from darkroom.embedded import backup, wire
from darkroom.embedded.backup import back_up
from darkroom.embedded.layout import Layout
from darkroom.embedded.restore import restore
from darkroom.model import Edit, Original, OriginalPolicy, State
from homes import Home
from rooms import OWNER

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from darkroom.catalog.sqlite import SqliteCatalog
    from darkroom.embedded.snapshot import Manifest
    from darkroom.model import Image


def test_an_image_deleted_meanwhile_is_deleted_in_the_backup(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home], meanwhile: Callable[..., None]
) -> None:
    stays, goes = home.ready(pictures.jpeg(50, 40)), home.ready(pictures.jpeg(40, 50))
    meanwhile(lambda: home.service.delete(OWNER, goes.id))
    manifest = run()
    assert (manifest.damaged, manifest.images) == ((), {"deleted": 1, "ready": 1})
    again = restored()
    assert again.images() == home.images()
    assert again.objects() == home.objects()
    assert again.now(stays) == stays


@pytest.mark.parametrize("policy", list(OriginalPolicy))
def test_an_image_finished_meanwhile_is_finished_in_the_backup(
    tmp_path: Path, vault: Path, restored: Callable[[], Home], meanwhile: Callable[..., None], policy: OriginalPolicy
) -> None:
    home = Home(tmp_path / policy, originals=policy)
    image = home.receive()
    meanwhile(home.work)
    manifest = back_up(home.layout, vault, clock=Clock())
    assert manifest.damaged == ()
    again = restored()
    again.work()
    found = again.now(image)
    assert found is not None
    assert found.state is State.READY
    assert again.differences() == []
    home.close()


def test_a_ticket_used_meanwhile_stays_open_or_is_there_whole(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home], meanwhile: Callable[..., None]
) -> None:
    image = home.open_upload()

    def send_and_finish() -> None:
        home.service.uploads.put(names.original_key(image.id), pictures.jpeg(9, 9), content_type="image/jpeg")

    meanwhile(send_and_finish)
    run()
    again = restored()
    again.work()
    found = again.now(image)
    assert found is not None
    assert found.state is State.READY


def test_an_image_made_anew_meanwhile_is_the_new_one_throughout(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home], meanwhile: Callable[..., None]
) -> None:
    image = home.ready(pictures.png(80, 20))

    def make_anew() -> None:
        home.service.edit(OWNER, image.id, Edit(focus=(1.0, 1.0), title="anew"))
        home.work()

    meanwhile(make_anew)
    manifest = run()
    assert manifest.damaged == ()
    again = restored()
    assert again.now(image) == home.now(image)
    assert again.now(image) != image
    assert again.differences() == []


def test_what_people_say_meanwhile_is_not_in_it(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home], meanwhile: Callable[..., None]
) -> None:
    image = home.ready()

    def say() -> None:
        home.service.edit(OWNER, image.id, Edit(title="later"))
        home.ready(pictures.jpeg(11, 12))

    meanwhile(say)
    run()
    assert restored().images() == {image.id: image}


def test_an_upload_forgotten_meanwhile_is_forgotten(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home], meanwhile: Callable[..., None]
) -> None:
    image = home.open_upload()
    meanwhile(lambda: home.service.catalog.forget(image.id))
    assert run().images == {}
    assert restored().images() == {}


def test_an_image_whose_original_is_just_being_stored_is_waited_for(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = home.receive()
    arriving = home.layout.uploads / names.original_key(image.id)
    body = arriving.read_bytes()
    arriving.unlink()
    monkeypatch.setattr(time, "sleep", lambda _: arriving.write_bytes(body))
    run()
    assert restored().objects() == {f"uploads/originals/{image.id}": body}


ACTS = ("upload", "ticket", "work", "delete", "focus", "tag", "again")


def act(home: Home, name: str, chance: random.Random) -> None:
    """Do one thing that people or the processor do, to an image by chance where there is any."""
    body = pictures.jpeg(20 + chance.randrange(9), 20)
    if name == "upload":
        home.receive(body)
    elif name == "ticket":
        home.service.uploads.put(names.original_key(home.open_upload().id), body, content_type="image/jpeg")
    elif name == "work":
        home.work()
    else:
        living = [image for image in home.images().values() if image.state not in {State.DELETED, State.AWAITING}]
        if living:
            act_on(home, name, chance.choice(living), chance)


def act_on(home: Home, name: str, image: Image, chance: random.Random) -> None:
    if name == "delete":
        home.service.delete(OWNER, image.id)
    elif name == "focus":
        home.service.edit(OWNER, image.id, Edit(focus=(chance.random(), 0.0)))
    elif name == "tag":
        home.service.edit(OWNER, image.id, Edit(add_tags=(str(chance.random()),)))
    elif image.variants or image.original is Original.KEPT:
        home.service.reprocess(OWNER, image.id, from_rendition=True)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    before=st.lists(st.sampled_from(ACTS), max_size=8),
    during=st.lists(st.sampled_from(ACTS), max_size=6),
    policy=st.sampled_from(list(OriginalPolicy)),
    chance=st.randoms(use_true_random=False),
)
def test_whatever_happens_each_image_of_a_backup_is_whole(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    during: list[str],
    policy: OriginalPolicy,
    chance: random.Random,
) -> None:
    folder = tmp_path_factory.mktemp("acts")
    home = Home(folder / "data", originals=policy)
    for name in before:
        act(home, name, chance)
    known = home.images()
    with pytest.MonkeyPatch.context() as patch:

        def copy_databases(layout: Layout, to: Layout) -> SqliteCatalog:
            catalog = wire.copy_databases(layout, to)
            for name in during:
                act(home, name, chance)
            return catalog

        patch.setattr(backup, "copy_databases", copy_databases)
        manifest = back_up(home.layout, folder / "backups", clock=Clock())
    assert manifest.damaged == ()
    restore(folder / "backups", Layout(folder / "again"))
    again = Home(folder / "again", originals=policy)
    assert again.differences() == []
    now = home.images()
    assert again.images().keys() == known.keys()
    for image_id, image in again.images().items():
        assert image in {known[image_id], now[image_id]}
    again.work()
    assert all(image.state not in {State.PROCESSING, State.AWAITING} for image in again.images().values())
    assert again.differences() == []
    home.close()
    again.close()
    shutil.rmtree(folder)
