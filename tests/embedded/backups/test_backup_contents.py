"""What a backup holds, and what a second one adds."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pictures
from darkroom import names
from darkroom.access import Scope
from darkroom.embedded.backup import back_up
from darkroom.embedded.layout import Layout
from darkroom.embedded.restore import check
from darkroom.events import ObjectCreated
from darkroom.model import Edit, State
from homes import BROKEN, Home
from rooms import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from darkroom.embedded.snapshot import Manifest
    from darkroom.model import Image


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Return number and time of change of every file."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def everything(home: Home) -> dict[str, Image]:
    """A little of everything that there may be."""
    sea = home.ready(pictures.png(60, 40), tags=("Sea", "Straße"), album="Summer", title="Ein schöner Tag")
    home.service.edit(OWNER, sea.id, Edit(focus=(0.25, 0.5)))
    home.work()
    gone = home.ready(pictures.jpeg(33, 44))
    home.service.delete(OWNER, gone.id)
    failed = home.receive(BROKEN)
    home.work()
    return {
        "sea": sea,
        "gone": gone,
        "theirs": home.ready(pictures.webp(50, 50), owner="anna"),
        "failed": failed,
        "open": home.open_upload(),
        "waiting": home.receive(pictures.jpeg(70, 30)),
    }


def test_a_restored_folder_holds_what_there_was(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home]
) -> None:
    key = home.key()
    all_images = everything(home)
    before, objects = home.images(), home.objects()
    secret = home.layout.secret("tickets")
    manifest = run()
    assert manifest.images == {"awaiting": 1, "deleted": 1, "failed": 1, "processing": 1, "ready": 2}
    assert (manifest.objects, manifest.bytes) == (len(objects), sum(map(len, objects.values())))
    assert manifest.damaged == ()
    again = restored()
    assert again.images() == before
    assert again.objects() == objects
    assert again.layout.secret("tickets") == secret
    caller = again.access.identify(key)
    assert caller is not None
    assert (caller.owner, caller.scopes) == (OWNER, frozenset(Scope))
    again.work()
    waiting = again.now(all_images["waiting"])
    assert waiting is not None
    assert waiting.state is State.READY
    assert again.differences() == []


def test_delivery_says_the_same_time_of_change(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home]
) -> None:
    image = home.ready()
    run()
    again = restored()
    for key in (f"i/{image.id}/card.webp", f"i/{image.id}/small.jpg"):
        assert again.stores.assets.stat(key).modified == home.stores.assets.stat(key).modified


def test_what_was_buried_is_still_there(home: Home, run: Callable[..., Manifest], restored: Callable[[], Home]) -> None:
    home.service.queue.publish(ObjectCreated(key=names.original_key(home.open_upload().id), etag="e"))
    (lease,) = home.service.queue.lease(1, 10)
    home.service.queue.bury(lease, "for a reason")
    run()
    (buried,) = restored().service.queue.buried(10)
    assert (buried.event, buried.reason) == (lease.event, "for a reason")


def test_a_second_backup_copies_only_what_is_new(home: Home, run: Callable[..., Manifest], vault: Path) -> None:
    home.ready(pictures.jpeg(50, 40))
    first = run()
    assert first.new_objects == first.objects
    files = tree(vault / "objects")
    second = run()
    assert (second.objects, second.new_objects, second.new_bytes) == (first.objects, 0, 0)
    assert tree(vault / "objects") == files
    image = home.ready(pictures.jpeg(60, 70))
    third = run()
    added = {path: body for path, body in home.objects().items() if image.id in path}
    assert (third.new_objects, third.new_bytes) == (len(added), sum(map(len, added.values())))
    assert tree(vault / "objects").items() >= files.items()
    assert check(vault).lost == ()


def test_equal_bytes_are_kept_once(home: Home, run: Callable[..., Manifest], vault: Path) -> None:
    home.ready(pictures.jpeg(50, 40))
    once = run()
    home.ready(pictures.jpeg(50, 40))
    twice = run()
    assert (twice.objects, twice.new_objects) == (2 * once.objects, 0)
    assert len(tree(vault / "objects")) == once.objects


def test_a_folder_that_moved_is_read_again_and_nothing_written(
    home: Home, run: Callable[..., Manifest], vault: Path, tmp_path: Path
) -> None:
    home.ready()
    first = run()
    shutil.copytree(home.layout.root, tmp_path / "moved")
    second = back_up(Layout(tmp_path / "moved"), vault, clock=lambda: datetime(2027, 1, 1, tzinfo=UTC))
    assert (second.objects, second.new_objects) == (first.objects, 0)
