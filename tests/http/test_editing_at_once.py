"""Many who change one image at once, over HTTP, answered by several processes."""

from concurrent.futures import ThreadPoolExecutor

import httpx

import pictures
from patience import ready

EDITORS, NAMES = 200, 20


def test_two_hundred_editors_at_once_lose_nothing(server):
    with httpx.Client(
        base_url=server.url, trust_env=False, timeout=60, limits=httpx.Limits(max_connections=EDITORS)
    ) as client:
        image = ready(client, pictures.jpeg(32, 32), tags=",".join(f"old-{number}" for number in range(NAMES)))
        url = f"/v1/images/{image['id']}"

        def edit(number):
            name, what = divmod(number, EDITORS // NAMES)
            changes = {0: {"remove_tags": [f"OLD-{name}"]}, 1: {"add_tags": [f"new-{name}"]}}
            return client.patch(url, json=changes.get(what, {"add_tags": ["same"]}))

        with ThreadPoolExecutor(EDITORS) as pool:
            answers = list(pool.map(edit, range(EDITORS)))
        assert {answer.status_code for answer in answers} == {200}
        last = client.get(url).json()
        assert set(last["tags"]) == {"same", *(f"new-{name}" for name in range(NAMES))}
        assert last["version"] == image["version"] + 2 * NAMES + 1, "who changes nothing writes nothing"


def test_what_is_meant_for_another_version_is_not_done(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        image = ready(client, pictures.jpeg(32, 32))
        url, stale = f"/v1/images/{image['id']}", {"if-match": f'"{image["version"] - 1}"'}
        for answer in (
            client.patch(url, json={"title": "late"}, headers=stale),
            client.post(f"{url}/reprocess", params={"from": "rendition"}, headers=stale),
            client.delete(url, headers=stale),
        ):
            assert (answer.status_code, answer.json()["code"]) == (412, "conflict")
        assert client.get(url).json() == image
        wrong = client.delete(url, headers={"if-match": "3"})
        assert wrong.status_code in {412, 422}
        assert client.delete(url, headers={"if-match": f'"{image["version"]}"'}).status_code == 204
