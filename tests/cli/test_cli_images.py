"""search, show, get, tag, rm, reprocess, variants: what a person does with images that are there."""

import io

import httpx
import PIL.Image
import pytest


def test_search_prints_a_table_for_people_and_objects_for_programs(invoke, upload, tag):
    first = upload("first.jpg", tag)
    second = upload("second.jpg", tag, "日本")
    ran = invoke("search", f"tag:{tag}")
    header, newest, oldest = ran.out.splitlines()
    assert header.split() == ["ID", "PIXELS", "SIZE", "FORMAT", "UPLOADED", "TAGS", "FILENAME"]
    assert newest.startswith(second)
    assert all(part in newest for part in ("90×60", "jpeg", "second.jpg", "日本"))
    assert oldest.startswith(first)
    assert [image["id"] for image in invoke("search", f"tag:{tag}", "--json").objects] == [second, first]


def test_search_says_that_there_is_more_than_it_shows(invoke, upload, tag):
    ids = [upload("cat.jpg", tag) for _ in range(3)]
    ran = invoke("search", f"tag:{tag}", "--limit", "2", "--json")
    assert [image["id"] for image in ran.objects] == [ids[2], ids[1]]
    assert "--all" in ran.err
    whole = invoke("search", f"tag:{tag}", "--limit", "2", "--all", "--json")
    assert (len(whole.objects), whole.err) == (3, "")


@pytest.mark.parametrize(
    ("criterion", "finds"),
    [
        ("dunes", True),
        ("dunes mountain", False),
        ("album:Sea", True),
        ('album:"Sea" "dunes"', True),
        ("album:Land", False),
        ("untagged:1", None),
        ("camera:canon", False),
        ("lens:50mm", False),
        ("color:aabbcc color:aabbcc", None),
        ("format:png format:jpeg", True),
        ("format:png", False),
        ("orientation:landscape", True),
        ("orientation:portrait", False),
        ("min_width:90 max_width:90 min_height:60 max_height:60", True),
        ("min_width:91", False),
        ("min_bytes:100 max_bytes:1000000", True),
        ("min_bytes:1000000", False),
        ("after:2020-01-01 before:2100-01-01T00:00:00Z", True),
        ("before:2020-01-01", False),
        ("taken_after:1990-01-01", False),
        ("sha256:" + "0" * 64, False),
        ("state:failed", False),
        ("state:failed state:ready order:oldest", True),
    ],
)
def test_every_criterion_reaches_the_server(invoke, one_image, criterion, finds):
    image_id, tag = one_image
    ran = invoke("search", f"tag:{tag}", *criterion.split(" "), "--json")
    if finds is None:
        assert ran.code == 2
        return
    assert ran.code == 0, ran.err
    assert [image["id"] for image in ran.objects] == ([image_id] if finds else [])


def test_search_finds_what_is_of_a_colour(invoke, upload, tag):
    image_id = upload("cat.jpg", tag)
    color = invoke("show", image_id, "--json").objects[0]["colors"][0].removeprefix("#")
    other = "00ff00" if color[2:4] < "80" else "ff0000"
    assert [image["id"] for image in invoke("search", f"tag:{tag} color:{color}", "--json").objects] == [image_id]
    assert invoke("search", f"tag:{tag} color:{other}", "--json").objects == []


def test_search_points_at_the_word_that_is_wrong(invoke):
    ran = invoke("search", "tag:猫", "sea min_width:wide tag:x")
    assert ran.code == 2
    sentence, line, marks = ran.err.splitlines()
    assert sentence == "darkroom: min_width:wide: must be a whole number from 0 to 2147483647"
    assert line == "  tag:猫 sea min_width:wide tag:x"
    assert marks == " " * len("  tag:xx sea ") + "^" * len("min_width:wide")
    long = invoke("search", *["sea"] * 100, "colour:" + "\x1b[31mred" * 20, *["sea"] * 100)
    assert long.code == 2
    assert all(len(line) < 400 and line.isprintable() for line in long.err.splitlines())
    assert "at most 4000" in invoke("search", "word " * 10_000).err


def test_show_says_everything(invoke, upload):
    image_id = upload("cat.jpg", "cat", title="A cat")
    ran = invoke("show", image_id)
    assert ran.code == 0
    for part in (image_id, "ready", "A cat", "90×60", "large", "avif", f"/i/{image_id}/small."):
        assert part in ran.out
    assert invoke("show", image_id, "--json").objects[0]["title"] == "A cat"


def test_show_goes_on_after_an_id_that_is_not_there(invoke, upload):
    image_id = upload()
    ran = invoke("show", "nothing", image_id)
    assert ran.code == 1
    assert ran.err.startswith("darkroom: nothing: ")
    assert image_id in ran.out


def opened(file):
    with PIL.Image.open(file) as image:
        return image.format


def test_get_writes_the_format_the_file_is_named_after(invoke, upload, tmp_path):
    image_id = upload()
    for name, kind in (("a.jpg", "JPEG"), ("a.avif", "AVIF"), ("a", "JPEG")):
        assert invoke("get", image_id, "-o", tmp_path / name).code == 0
        assert opened(tmp_path / name) == kind
    assert invoke("get", image_id, "--format", "avif", "--variant", "small", "-o", tmp_path / "b").code == 0
    assert opened(tmp_path / "b") == "AVIF"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a", "a.avif", "a.jpg", "b"]


def test_get_overwrites_only_when_forced(invoke, upload, tmp_path):
    image_id = upload()
    file = tmp_path / "precious.jpg"
    file.write_bytes(b"precious")
    ran = invoke("get", image_id, "-o", file)
    assert ran.code == 1
    assert "--force" in ran.err
    assert file.read_bytes() == b"precious"
    assert invoke("get", image_id, "-o", file, "--force").code == 0
    assert opened(file) == "JPEG"


def test_get_of_the_original_gives_the_same_bytes_under_its_name(invoke, upload, picture, tmp_path):
    body = picture()
    image_id = upload("mine.jpg", body=body)
    folder = tmp_path / "into"
    folder.mkdir()
    assert invoke("get", image_id, "--original", "-o", folder).code == 0
    assert (folder / "mine.jpg").read_bytes() == body


def test_get_can_write_to_standard_output(start, upload):
    out, _ = start("get", upload(), "-o", "-").communicate(timeout=30)
    assert opened(io.BytesIO(out)) == "JPEG"


def test_get_that_fails_leaves_nothing_behind(invoke, upload, tmp_path):
    image_id = upload()
    target = tmp_path / "out"
    target.mkdir()
    for arguments in (["--variant", "huge"], ["--format", "bmp"]):
        ran = invoke("get", image_id, *arguments, "-o", target / "x.jpg")
        assert ran.code == 1
        assert ran.err.startswith("darkroom: ")
    ran = invoke("get", image_id, "-o", target / "no-such-folder" / "x.jpg")
    assert ran.code == 1
    assert "No such file or directory" in ran.err
    assert list(target.iterdir()) == []


def test_an_original_that_was_removed_is_said_to_be(invoke, upload, keyed_server, tmp_path):
    given = {"url": keyed_server.url, "key": keyed_server.key}
    image_id = upload(on=keyed_server)
    ran = invoke("get", image_id, "--original", "-o", tmp_path / "x.jpg", **given)
    assert ran.code == 1
    assert "original" in ran.err
    assert not (tmp_path / "x.jpg").exists()


def test_tags_are_added_and_taken_away(invoke, upload):
    image_id = upload("cat.jpg", "old")
    ran = invoke("tag", image_id, "--add", "new", "--add", "newer", "--remove", "old", "--json")
    assert ran.objects[0]["tags"] == ["new", "newer"]


def test_rm_asks_and_minds_the_answer(invoke, upload):
    image_id = upload()
    for answer in ("n\n", ""):
        assert invoke("rm", image_id, stdin=answer).code == 1
        assert invoke("show", image_id).code == 0
    assert invoke("rm", image_id, stdin="y\n").code == 0
    assert invoke("show", image_id).code == 1


def test_rm_of_several_goes_on_and_says_which_was_not_there(invoke, upload):
    image_id = upload()
    ran = invoke("rm", "--yes", "nothing", image_id)
    assert ran.code == 1
    assert "nothing: " in ran.err
    assert invoke("show", image_id).code == 1


def test_reprocess_waits_until_it_is_done(invoke, upload):
    ran = invoke("reprocess", upload(), "--json")
    assert (ran.code, ran.objects[0]["state"]) == (0, "ready")


def test_variants_are_listed(invoke):
    ran = invoke("variants")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["VARIANT", "large", "medium", "small"]
    assert {recipe["name"] for recipe in invoke("variants", "--json").objects} == {"large", "medium", "small"}


def test_keys_are_made_listed_and_revoked(invoke, keyed_server):
    given = {"url": keyed_server.url, "key": keyed_server.key}
    made = invoke("keys", "add", "for a test", "--owner", "somebody", "--json", **given).objects[0]
    assert made["scopes"] == ["read", "write"]
    listed = invoke("keys", "list", **given).out
    assert made["id"] in listed
    assert "for a test" in listed
    assert made["key"] not in listed
    assert invoke("search", url=keyed_server.url, key=made["key"]).code == 0
    assert invoke("keys", "revoke", made["id"], **given).code == 0
    ran = invoke("search", url=keyed_server.url, key=made["key"])
    assert ran.code == 1
    assert "DARKROOM_KEY" in ran.err


def test_url_prints_an_address_that_is_answered(invoke, upload):
    image_id = upload()
    address = invoke("url", image_id, "width=30", "rotate=90", "--ext", "png").out.strip()
    answer = httpx.get(address, trust_env=False)
    assert PIL.Image.open(io.BytesIO(answer.content)).size == (30, 45)
    ran = invoke("url", image_id, "width=0")
    assert (ran.code, ran.out) == (1, "")
    assert "width must be" in ran.err


def test_signing_secrets_are_made_listed_and_retired(invoke):
    made = invoke("secrets", "add", "--json").objects[0]
    assert made["secret"].startswith(f"{made['id']}.")
    listed = invoke("secrets", "list", "--json").objects
    assert [("secret" in one) for one in listed if one["id"] == made["id"]] == [False]
    assert invoke("secrets", "retire", made["id"]).out == f"retired {made['id']}\n"
    assert made["id"] not in invoke("secrets", "list").out
    assert invoke("secrets", "retire", made["id"]).code == 1
