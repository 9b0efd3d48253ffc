"""darkroom tags and darkroom albums."""

from darkroom.client import Changes, Client


def test_tags_and_albums_are_listed_for_people_and_for_programs(invoke, server, upload, tag):
    first, _ = upload("a.jpg", f"{tag}-one", f"{tag}-Two"), upload("b.jpg", f"{tag}-one")
    with Client(server.url) as client:
        client.patch(first, Changes(album=f"{tag} album"))
    ran = invoke("tags", tag.upper())
    assert [line.split() for line in ran.out.splitlines()] == [
        ["TAG", "IMAGES"],
        [f"{tag}-one", "2"],
        [f"{tag}-Two", "1"],
    ]
    assert invoke("albums", tag, "--json").objects == [{"name": f"{tag} album", "images": 1}]
    nothing = invoke("tags", f"{tag}-three")
    assert (nothing.code, nothing.out, "nothing was found" in nothing.err) == (0, "", True)
    long = invoke("tags", "x" * 65)
    assert (long.code, "prefix" in long.err) == (1, True)


def test_a_client_yields_more_than_a_page(monkeypatch, server, upload, tag):
    monkeypatch.setattr("darkroom.client.calls.LABELS_PER_PAGE", 2)
    upload("a.jpg", *(f"{tag}-{number}" for number in range(5)))
    with Client(server.url) as client:
        assert [(label.name, label.images) for label in client.tags(tag)] == [(f"{tag}-{n}", 1) for n in range(5)]
