"""A service that is killed in the middle of a job goes on with it after each start, and counts every image once."""

from contextlib import closing

import httpx

from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.embedded.layout import Layout
from darkroom.model import Query
from libraries import everything, image
from outages import Machine
from patience import eventually

IMAGES = 600
KILLS = 3


def test_a_job_over_many_images_outlives_kills_of_the_whole_service(tmp_path):
    machine = Machine(tmp_path)
    Layout(machine.data).prepare()
    with closing(SqliteCatalog(Layout(machine.data).catalog)) as catalog:
        for number in range(IMAGES):
            catalog.create(image(number, tags=("cat",)))
    machine.start()
    with httpx.Client(base_url=machine.url, trust_env=False, timeout=30) as client:
        body = {"action": "add_tags", "tags": ["seen"], "search": "tag:cat"}
        job = client.post("/v1/bulk", json=body).json()
        seen = []
        for _ in range(KILLS):
            before = seen[-1] if seen else 0

            def has_gone_on(before=before):
                now = client.get(f"/v1/jobs/{job['id']}").json()
                return now if now["done"] > before or now["state"] == "done" else None

            seen.append(eventually(has_gone_on, seconds=60, what="the job going on")["done"])
            machine.cut_off()
            machine.let_time_pass()
            machine.start()

        def is_done():
            now = client.get(f"/v1/jobs/{job['id']}").json()
            return now if now["state"] == "done" else None

        after = eventually(is_done, seconds=120, what="the end of the job")
    machine.stop()
    assert seen[0] < IMAGES, "it was killed in the middle"
    assert (after["matched"], after["done"], after["failed"]) == (IMAGES, IMAGES, 0)
    with closing(SqliteCatalog(Layout(machine.data).catalog)) as catalog:
        assert len(everything(catalog, Query(owner="local", tags=("seen",)))) == IMAGES
