"""What people do in a month, and what the service does about it: every number of an estimate, each with its source."""

from __future__ import annotations

import math
from dataclasses import dataclass

from darkroom.cost.numbers import Numbers, number


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Numbers):
    """A workload and a way of serving it. The defaults are the workload of the article and no way in particular."""

    # What people do.
    daily_users: float = number(40_000, "people a day", "people who use the application on a day")
    uploader_share: float = number(0.3, "share", "of them upload", most=1)
    uploads_each: float = number(1, "images a day", "that each of those uploads")
    reader_share: float = number(0.7, "share", "of them look at images", most=1)
    views_each: float = number(15, "views a day", "that each of those has")
    searches_each: float = number(0, "searches a day", "that each reader makes")
    deleted_share: float = number(0, "share", "of the images of a month are deleted or made anew", most=1)
    days: float = number(30, "days", "in a month", least=1, most=31)
    upload_bytes: float = number(1_500_000, "bytes", "of an original", least=1)
    view_bytes: float = number(75 * 1024, "bytes", "of a picture that is looked at", least=1)

    # What is kept.
    stored_bytes: float = number(230 * 1024, "bytes", "kept of an image, all variants together")
    originals_kept: float = number(0, "0 or 1", "originals are kept, too, once the variants are made", most=1)
    kept_months: float = number(math.inf, "months", "that an image is kept", most=math.inf, least=1)
    item_bytes: float = number(1024, "bytes", "kept of an image in the database, its search terms too")

    # How an upload is served.
    api_units: float = number(3, "units", "of 512 KiB that the API meters for an upload")
    upload_seconds: float = number(0.3, "seconds", "the upload function takes", most=900)
    upload_mib: float = number(128, "MiB", "of memory the upload function has", most=10_240)
    transform_seconds: float = number(2, "seconds", "the transform function takes", most=900)
    transform_mib: float = number(320, "MiB", "of memory the transform function has", most=10_240)
    puts: float = number(4, "requests", "that put an object, for an upload")
    gets: float = number(1, "requests", "that get an object, for an upload")
    writes: float = number(2, "units", "written to the database for an upload")
    deleted_writes: float = number(0, "units", "written to the database for an image that is deleted")
    reads: float = number(0.5, "units", "read from the database for an upload")
    publishes: float = number(1, "messages", "published for an upload")
    queue_requests: float = number(0, "requests", "to queues for an upload")
    calls: float = number(1, "calls", "of the API function, for an upload")
    log_bytes: float = number(614.4, "bytes", "logged by an invocation of a function")

    # How a search is served.
    search_reads: float = number(0, "units", "read from the database for a search")
    search_seconds: float = number(0.05, "seconds", "the API function takes for a search", most=900)

    # How a view is served.
    hit_rate: float = number(0.9, "share", "of the views is answered by the edge", most=1)
    missing_share: float = number(0.01, "share", "of the views asks for what is not there", most=1)
    edge_function: float = number(1, "0 or 1", "a Lambda@Edge function runs on every miss", most=1)
    edge_mib: float = number(128, "MiB", "of memory that function has", most=10_240)
    edge_missing_seconds: float = number(0.15, "seconds", "it takes to answer what is not there", most=30)
    edge_passing_seconds: float = number(0.005, "seconds", "it takes to let an answer pass", most=30)
    viewer_function: float = number(0, "0 or 1", "a CloudFront function runs on every view", most=1)
    purges: float = number(0, "paths", "the edge is told to forget, for a deleted image")

    # How a picture by its address is served, which is made when somebody asks for it first.
    addressed_share: float = number(0, "share", "of the views is of pictures by their addresses", most=1)
    negotiated_share: float = number(
        0, "share", "of those is .auto, which a function answers where the edge has no copy", most=1
    )
    made_share: float = number(0, "share", "of the views asks for such a picture that has to be made", most=1)
    render_seconds: float = number(0.3, "seconds", "the render function takes to make one", most=29)
    answer_seconds: float = number(0.1, "seconds", "it takes to answer with one that is there", most=29)
    render_mib: float = number(1769, "MiB", "of memory the render function has", most=10_240)
    render_writes: float = number(3, "units", "written to the database for one that is made")
    render_reads: float = number(8, "units", "read from the database for one that is made")
    answer_reads: float = number(3, "units", "read from the database to answer with one that is there")
    render_gets: float = number(2, "requests", "that get an object, for one that is made")
    result_bytes: float = number(60_000, "bytes", "kept of one")
    result_days: float = number(30, "days", "that it is kept; 0 for ever", most=3650)
    store_requests: float = number(0, "requests", "a month that keep the key value store in step")

    # What is there in any case.
    alarms: float = number(0, "alarms", "are watched", most=1e6)
    dashboards: float = number(0, "dashboards", "are shown", most=1e6)
    metrics: float = number(0, "metrics", "of our own are kept", most=1e6)
    idle_requests: float = number(0, "requests", "a month to queues in which there is nothing")
    sweeps: float = number(0, "sweeps", "a month go over everything that is kept", most=10_000)
    sweep_reads: float = number(0, "units", "of the database that a sweep reads for an image")
    swept_rate: float = number(10_000, "objects", "that a sweep goes over in a second", least=1)
    backups: float = number(0, "0 or 1", "the database can be restored to any moment of 35 days", most=1)

    # How the bill is read.
    arm: float = number(0, "0 or 1", "functions run on arm64", most=1)
    lambda_free: float = number(1, "0 or 1", "the free tier of Lambda is not used up by others", most=1)
    old_database_prices: float = number(0, "0 or 1", "DynamoDB as before November 2024", most=1)
    decimal_storage: float = number(0, "0 or 1", "a stored GB is 1,000,000,000 bytes", most=1)
    whole_month: float = number(0, "0 or 1", "what comes in a month is stored for all of it, not half", most=1)

    def scaled(self, factor: float) -> Scenario:
        """Return the same with so many times the people."""
        source = f"{factor:g} times the scenario's"
        return self.with_numbers(source, daily_users=self.daily_users * factor)

    @property
    def uploads(self) -> float:
        """Images uploaded in a month."""
        return self.daily_users * self.uploader_share * self.uploads_each * self.days

    @property
    def views(self) -> float:
        """Pictures looked at in a month."""
        return self.daily_users * self.reader_share * self.views_each * self.days

    @property
    def made(self) -> float:
        """Pictures made by their addresses in a month."""
        return self.views * self.made_share

    @property
    def addressed(self) -> float:
        """Views of pictures by their addresses in a month, of those that are made then too."""
        return self.views * max(self.addressed_share, self.made_share)

    @property
    def answered(self) -> float:
        """Views in a month that the render function answers with a picture that is there."""
        return max(0.0, self.addressed * (1 - self.hit_rate) - self.made) * self.negotiated_share

    @property
    def searches(self) -> float:
        """Searches in a month."""
        return self.daily_users * self.reader_share * self.searches_each * self.days
