"""``darkroom capacity``: how far the AWS deployment goes, and what breaks first."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.connect import Json
from darkroom.errors import DarkroomError, InvalidRequest

MOST_SCALES = 12


def capacity(  # noqa: PLR0913 # what may be asked is an option each
    *,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Workload to begin with; see darkroom cost.")
    ] = "darkroom",
    scale: Annotated[
        str, typer.Option(metavar="TIMES,…", help="How many times the workload, such as 1,10,100.")
    ] = "1,10,100,1000,100000",
    numbers: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=NUMBER", help="Change a number; --assumptions lists them."),
    ] = None,
    month: Annotated[int, typer.Option(metavar="MONTH", help="Which month after the start.")] = 12,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="What chance begins from: same seed, same answer.")] = 1,
    region: Annotated[str, typer.Option(metavar="REGION", help="AWS region, for the prices.")] = "ap-southeast-1",
    prices: Annotated[Path | None, typer.Option(metavar="FILE", help="A newer price file.")] = None,
    assumptions: Annotated[bool, typer.Option("--assumptions", help="Every number, with its source.")] = False,
    json: Json = False,
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into this SVG file.")] = None,
) -> None:
    """Simulate the AWS deployment at several times a workload: who answers, what waits, what breaks first, the bill."""
    from darkroom.capacity.assumptions import Assumptions  # noqa: PLC0415 # only this command needs it
    from darkroom.capacity.forecast import forecast  # noqa: PLC0415 # likewise
    from darkroom.cli import forecasts as show  # noqa: PLC0415 # likewise
    from darkroom.cli.cost import number_of  # noqa: PLC0415 # likewise
    from darkroom.cost.numbers import GIVEN, entries  # noqa: PLC0415 # likewise
    from darkroom.cost.presets import preset as named  # noqa: PLC0415 # likewise
    from darkroom.cost.prices import load_prices  # noqa: PLC0415 # likewise

    try:
        given = dict(map(number_of, numbers or []))
        ours = entries(Assumptions)
        assumed = Assumptions().with_numbers(GIVEN, **{name: value for name, value in given.items() if name in ours})
        workload = named(preset).with_numbers(
            GIVEN, **{name: value for name, value in given.items() if name not in ours}
        )
        known = load_prices(region, prices)
        found = [forecast(workload, assumed, known, scale=times, month=month, seed=seed) for times in _scales(scale)]
        if json:
            show.print_forecasts_as_json(workload, assumed, found, seed=seed, month=month)
        else:
            show.print_forecasts(workload, found, month=month)
            if assumptions:
                show.print_assumptions(assumed, workload)
        if chart is not None:
            show.draw(chart, workload, assumed, found, seed=seed)
    except DarkroomError as error:
        typer.echo(f"darkroom capacity: {error.detail}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"darkroom capacity: {chart} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(1) from error


def _scales(text: str) -> list[float]:
    msg = f"--scale {text}: give up to {MOST_SCALES} numbers from 0.001 to 1,000,000, such as 1,10,100"
    try:
        found = sorted({float(part) for part in text.split(",")})
    except ValueError as error:
        raise InvalidRequest(msg) from error
    if len(found) > MOST_SCALES or not all(1e-3 <= times <= 1e6 for times in found):
        raise InvalidRequest(msg)
    return found
