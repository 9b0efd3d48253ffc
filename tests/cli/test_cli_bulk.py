"""tag, album, rm and reprocess over a search; jobs."""

import pytest

from darkroom.client import Client, Criteria
from darkroom.client.library import line_of


@pytest.fixture
def library(upload, tag):
    return [upload(f"{number}.jpg", tag) for number in range(3)]


def tags_of(invoke, tag):
    return [set(image["tags"]) - {tag} for image in invoke("search", f"tag:{tag}", "--json").objects]


def test_what_a_search_finds_is_counted_asked_for_and_tagged(invoke, library, tag):
    line = f"tag:{tag}"
    counted = invoke("tag", "--search", line, "--add", "sea", "--dry-run")
    assert (counted.code, counted.out.strip()) == (0, "3 images")
    assert tags_of(invoke, tag) == [set()] * 3
    asked = invoke("tag", "--search", line, "--add", "sea", stdin="n\n")
    assert (asked.code, "Add sea to 3 images?" in asked.err) == (1, True)
    assert tags_of(invoke, tag) == [set()] * 3
    ran = invoke("tag", "--search", line, "--add", "sea", "--add", "{s}", stdin="y\n")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "3 images done")
    assert tags_of(invoke, tag) == [{"sea", "{s}"}] * 3
    narrow = f'{line} tag:"{{s}}"'
    assert invoke("tag", "--search", narrow, "--remove", "SEA", "--yes", "--json").objects[0]["done"] == 3
    assert tags_of(invoke, tag) == [{"{s}"}] * 3


def test_albums_reprocessing_and_deleting_take_a_search_too(invoke, library, tag):
    line = f"tag:{tag}"
    assert invoke("album", 'My "box"', "--search", line, "--yes").out.strip() == "3 images done"
    assert invoke("search", line, 'album:"my \\"box\\""', "--json").objects[0]["album"] == 'My "box"'
    assert invoke("album", "", library[0]).out.split() == [library[0], "-"]
    too_many = invoke("tag", "--search", line, "--yes", *(f"--add=t{number}" for number in range(50)))
    assert (too_many.code, too_many.out.strip()) == (1, "0 images done, 3 failed")
    assert all(f"{image_id}: tags: 51 are too many" in too_many.err for image_id in library)
    assert invoke("reprocess", "--search", line, "--yes", "--from-rendition").out.strip() == "3 images done"
    assert invoke("rm", "--search", f"{line} state:ready state:processing", "--yes").out.strip() == "3 images done"
    nothing = invoke("rm", "--search", f"{line} state:ready state:processing", "--yes")
    assert (nothing.code, nothing.out.strip()) == (0, "nothing was found")


def test_jobs_are_listed_shown_and_stopped(invoke, library, tag):
    invoke("tag", "--search", f"tag:{tag}", "--add", "sea", "--yes")
    header, first, *_ = invoke("jobs").out.splitlines()
    assert header.split() == ["ID", "ACTION", "STATE", "IMAGES", "DONE", "FAILED", "BEGUN"]
    job_id = first.split()[0]
    assert first.split()[1:6] == ["add_tags", "done", "3", "3", "0"]
    (job,) = invoke("jobs", job_id, "--json").objects
    assert (job["search"], job["tags"]) == (f'tag:"{tag}"', ["sea"])
    assert "state   done" in invoke("jobs", job_id, "--stop").out
    assert invoke("jobs", "0" * 26).code == 1


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["tag", "--add", "x"], 2, "--search"),
        (["tag", "1", "--search", "a", "--add", "x"], 2, "--search"),
        (["tag", "1", "--add", "x", "--dry-run"], 2, "--dry-run"),
        (["tag", "--search", "a", "--add", "x", "--remove", "y"], 2, "two commands"),
        (["rm"], 2, "--search"),
        (["rm", "--search", "kitten:cat"], 2, "^^^"),
        (["reprocess"], 2, "--search"),
        (["album", "Box"], 2, "--search"),
        (["rm", "--search", "", "--yes"], 1, "state:ready"),
        (["jobs", "--stop"], 2, "--stop"),
    ],
)
def test_a_command_that_does_not_say_what_it_means_does_nothing(invoke, command, code, said):
    ran = invoke(*command)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err


def test_a_client_says_a_search_in_one_line_that_means_the_same(server, library, tag):
    criteria = Criteria(tags=(tag, 'a "b\\" c'), words="0 jpg", min_width=5, states=("ready", "failed"))
    assert line_of(criteria) == (
        f'tag:"{tag}" tag:"a \\"b\\\\\\" c" "0 jpg" min_width:"5" state:"ready" state:"failed"'
    )
    with Client(server.url) as client:
        client.patch(library[0], {"add_tags": ['a "b\\" c']})
        job = client.finished(client.bulk("set_album", criteria, album="Found"))
        assert (job.state, job.matched, job.done) == ("done", 1, 1)
        assert client.get(library[0]).album == "Found"
        assert job.id in [one.id for one in client.jobs()]
