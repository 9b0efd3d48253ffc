"""``darkroom cost``: what the AWS deployment would cost a month."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.connect import DEFAULT_SERVER, Json, Key, Server, connected
from darkroom.cli.output import print_json
from darkroom.errors import DarkroomError, InvalidRequest

if TYPE_CHECKING:
    from darkroom.cost.scenario import Scenario


def cost(  # noqa: PLR0913 # what people know of their workload is an option each
    *,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Scenario to begin with: article, article-corrected or darkroom.")
    ] = "darkroom",
    users: Annotated[float | None, typer.Option(metavar="NUMBER", help="People a day.")] = None,
    uploaders: Annotated[float | None, typer.Option(metavar="SHARE", help="Share that uploads, 0 to 1.")] = None,
    images: Annotated[float | None, typer.Option(metavar="NUMBER", help="Images a day of each uploader.")] = None,
    views: Annotated[float | None, typer.Option(metavar="NUMBER", help="Views a day of each reader.")] = None,
    upload_bytes: Annotated[
        float | None, typer.Option(metavar="BYTES", help="Of an original; counts where those are kept or pass the API.")
    ] = None,
    view_bytes: Annotated[float | None, typer.Option(metavar="BYTES", help="Of a picture looked at.")] = None,
    kept: Annotated[float | None, typer.Option(metavar="MONTHS", help="How long an image is kept.")] = None,
    numbers: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=NUMBER", help="Any other number; --assumptions lists them."),
    ] = None,
    month: Annotated[int, typer.Option(metavar="MONTH", help="Which month after the start to itemise.")] = 12,
    region: Annotated[str, typer.Option(metavar="REGION", help="AWS region.")] = "ap-southeast-1",
    prices: Annotated[Path | None, typer.Option(metavar="FILE", help="A newer price file.")] = None,
    measured: Annotated[
        bool, typer.Option("--measured", help="With what a running service has counted; needs --days.")
    ] = False,
    days: Annotated[
        float | None, typer.Option(metavar="DAYS", help="In how many days it has counted that: since its start.")
    ] = None,
    server: Server = DEFAULT_SERVER,
    key: Key = "",
    eager: Annotated[bool, typer.Option("--eager", help="What more formats and more search terms come to.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="What would change the bill.")] = False,
    assumptions: Annotated[bool, typer.Option("--assumptions", help="Every number, with its source.")] = False,
    json: Json = False,
    table: Annotated[bool, typer.Option("--csv", help="Every line of every month as CSV.")] = False,
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into this SVG file.")] = None,
) -> None:
    """Estimate the monthly bill of the AWS deployment, item by item, with free tiers and tiers applied.

    The prices are a file with a date; before tax, and no promise: every number can be seen and changed.
    """
    from darkroom.cli import bills as show  # noqa: PLC0415 # only this command needs it
    from darkroom.cost.bill import bill, bills  # noqa: PLC0415 # likewise
    from darkroom.cost.drawing import drawn  # noqa: PLC0415 # likewise
    from darkroom.cost.numbers import GIVEN  # noqa: PLC0415 # likewise
    from darkroom.cost.presets import preset as named  # noqa: PLC0415 # likewise
    from darkroom.cost.presets import with_people  # noqa: PLC0415 # likewise
    from darkroom.cost.prices import load_prices  # noqa: PLC0415 # likewise

    people = {
        "users": users,
        "uploaders": uploaders,
        "images": images,
        "views": views,
        "upload_bytes": upload_bytes,
        "view_bytes": view_bytes,
        "kept": kept,
    }
    try:
        _check_output(json=json, table=table, more=compare or eager or assumptions, chart=chart)
        scenario = _running(named(preset), server, key, days) if measured else _unmeasured(named(preset), days)
        scenario = with_people(scenario, GIVEN, people).with_numbers(GIVEN, **dict(map(number_of, numbers or [])))
        known = load_prices(region, prices)
        itemised, months = bill(scenario, known, month), bills(scenario, known, max(month, 12))
        if json:
            print_json(show.as_json(scenario, known, itemised, months, compare=compare, eager=eager))
        elif table:
            show.print_months(months)
        else:
            show.print_bill(scenario, known, itemised, months)
            if compare:
                show.print_levers(scenario, known, month)
            if eager:
                show.print_eager(scenario, known)
            if assumptions:
                show.print_assumptions(scenario)
        if chart is not None:
            chart.write_text(drawn(scenario, known, months), encoding="utf-8")
    except DarkroomError as error:
        typer.echo(f"darkroom cost: {error.detail}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"darkroom cost: {chart} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(1) from error


def _check_output(*, json: bool, table: bool, more: bool, chart: Path | None) -> None:
    """Raise ``InvalidRequest`` for outputs that cannot be had together, and for a chart that is none of SVG."""
    if table and (json or more):
        raise InvalidRequest("--csv is every line of every month and nothing else; leave the other outputs out")
    if chart is not None and chart.suffix.lower() != ".svg":
        msg = f"--chart {chart}: the chart is SVG; give the file a name that ends in .svg"
        raise InvalidRequest(msg)


def _running(scenario: "Scenario", server: str, key: str, days: float | None) -> "Scenario":
    """Return the scenario with what a running service has counted."""
    from darkroom.cost.measured import from_running  # noqa: PLC0415 # as above

    if days is None:
        raise InvalidRequest("say with --days in how many days the service has counted: since it was last started")
    with connected(server, key) as client:
        return from_running(scenario, client.figures(), days)


def _unmeasured(scenario: "Scenario", days: float | None) -> "Scenario":
    """Return the scenario, if nothing is said of a running service."""
    if days is not None:
        raise InvalidRequest("--days says in how many days a running service has counted; give --measured with it")
    return scenario


def number_of(text: str) -> tuple[str, float]:
    """Return the name and the number of ``NAME=NUMBER``. Raises ``InvalidRequest``."""
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError as error:
        msg = f"--set {text}: give NAME=NUMBER, such as --set hit_rate=0.95"
        raise InvalidRequest(msg) from error
