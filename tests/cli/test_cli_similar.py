"""darkroom similar."""

import pictures


def test_copies_are_listed_for_people_and_for_programs(invoke, upload, tag):
    body = pictures.jpeg(160, 120, comment=tag.encode())
    first, second = upload("first.jpg", body=body), upload("second.jpg", body=body)
    header, *rows = invoke("similar", first, "--limit", "200").out.splitlines()
    assert header.split() == ["ID", "LIKENESS", "PIXELS", "SIZE", "FORMAT", "UPLOADED", "FILENAME"]
    row = next(row for row in rows if row.startswith(second))
    assert all(part in row for part in ("same bytes", "160×120", "jpeg", "second.jpg"))
    found = invoke("similar", first, "--json", "--limit", "1").objects
    assert [(one["image"]["id"], one["same_bytes"], one["distance"]) for one in found] == [(second, True, 0)]
    unknown = invoke("similar", "0" * 26)
    assert (unknown.code, unknown.out) == (1, "")
