"""Which files ``darkroom put`` takes for images."""

import os

import pytest

import pictures
from darkroom.cli.finding import find


@pytest.fixture
def files(tmp_path):
    def make(*names, body=b""):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(body)
        return tmp_path

    return make


def taken(root, found):
    return [str(path.relative_to(root)) for path in found.files]


def test_folders_are_walked_to_their_ends_in_the_order_of_names(files):
    root = files("b.jpg", "a.PNG", "c/d/e.heic", "c/a.webp")
    assert taken(root, find([root])) == ["a.PNG", "b.jpg", "c/a.webp", "c/d/e.heic"]


def test_what_neither_is_called_nor_begins_like_an_image_is_passed_over(files):
    root = files("notes.txt", "movie.mp4", body=b"some other thing")
    files("photo", "photo.bin", body=pictures.jpeg())
    found = find([root])
    assert taken(root, found) == ["photo", "photo.bin"]
    assert found.no_images == 2


def test_hidden_files_and_folders_are_passed_over_unless_they_are_named(files):
    root = files(".hidden.jpg", ".cache/a.jpg", "a.jpg")
    found = find([root])
    assert (taken(root, found), found.hidden) == (["a.jpg"], 2)
    assert taken(root, find([root / ".hidden.jpg", root / ".cache"])) == [".hidden.jpg", ".cache/a.jpg"]


def test_a_file_meant_twice_is_taken_once(files):
    root = files("a.jpg", "b.jpg")
    (root / "link.jpg").symlink_to(root / "a.jpg")
    assert taken(root, find([root / "a.jpg", root, root / "a.jpg"])) == ["a.jpg", "b.jpg"]


def test_a_folder_that_contains_itself_ends(files):
    root = files("a/b.jpg")
    (root / "a" / "again").symlink_to(root)
    assert taken(root, find([root])) == ["a/b.jpg"]


def test_what_cannot_be_read_is_said(files, tmp_path):
    root = files("a.jpg")
    os.mkfifo(root / "pipe")
    (root / "dangling").symlink_to(root / "nowhere")
    found = find([root / "missing.jpg", root / "pipe", root])
    assert found.unreadable == [
        (root / "missing.jpg", "it is not there"),
        (root / "pipe", "it is neither a file nor a folder"),
    ]
    assert (taken(root, found), found.no_images) == (["a.jpg"], 2)
