"""``darkroom aws``: the deployment on AWS, made, looked at and taken down, with the credentials of your AWS tools."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from darkroom.cli.connect import fail
from darkroom.cli.here import aws_needed
from darkroom.cli.output import counted, print_facts
from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.serverless.deploying import Deployed, Stage
    from darkroom.serverless.stack import Plan

app = typer.Typer(
    help="Deploy on AWS, with the credentials and the region of your AWS tools.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Given = TypeVar("Given")

StageName = Annotated[
    str, typer.Option("--stage", metavar="NAME", help="Each stage is a stack of its own, darkroom-NAME.")
]
Region = Annotated[
    str, typer.Option(metavar="REGION", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="Such as eu-west-1.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command()
def deploy(
    *,
    stage: StageName = "dev",
    region: Region,
    packages: Annotated[Path, typer.Option(metavar="DIR", help="What `make package` has written.")] = Path("dist/aws"),
    parameters: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the template (docs/deploy-aws.md)."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Make a stage, or bring it to what is packaged; says first what it would do, and what that costs."""
    given = dict(map(_pair, parameters or []))
    chosen = _stage(stage, region)
    account = _explained(chosen.account)
    typer.echo(f"Stack darkroom-{stage} in {region}, account {account}, from {packages}:")
    plan = _explained(lambda: chosen.plan(packages, given, account))
    _print_plan(plan, region)
    if plan.changes and not yes:
        typer.confirm("Go on?", abort=True)
    if plan.creates:
        typer.echo("This takes about five minutes; CloudFront is the slowest.")
    _print_deployed(_explained(lambda: chosen.carry_out(plan)))


@app.command()
def status(*, stage: StageName = "dev", region: Region) -> None:
    """Show how a stage is, and where."""
    condition = _explained(_stage(stage, region).condition)
    outputs = condition.status.outputs
    print_facts(
        [
            ("stack", f"darkroom-{stage}, {condition.status.word}"),
            ("pages", _pages(outputs.get("ApiUrl"))),
            ("api", outputs.get("ApiUrl")),
            ("pictures", outputs.get("PicturesUrl")),
            ("dashboard", outputs.get("DashboardUrl")),
            ("waiting", counted(condition.waiting, "event")),
            ("given up", counted(condition.failed, "event")),
        ]
    )


@app.command()
def destroy(*, stage: StageName = "dev", region: Region, yes: Yes = False) -> None:
    """Take a stage down. Buckets and tables stay, with everything in them."""
    from darkroom.serverless.deploying import KEPT  # noqa: PLC0415 # as in _stage

    chosen = _stage(stage, region)
    outputs = _explained(chosen.condition).status.outputs
    typer.echo(f"This takes down darkroom-{stage} in {region}: API and delivery end, and their addresses are lost.")
    typer.echo("What stays, and goes on costing what it holds, until you remove it yourself:")
    print_facts([(what, outputs.get(name)) for name, what in KEPT.items()] + [("packages", "darkroom-packages-…")])
    if not yes:
        typer.confirm("Go on?", abort=True)
    _explained(chosen.destroy)
    typer.echo(f"darkroom-{stage} is gone.")


def _stage(name: str, region: str) -> "Stage":
    with aws_needed():
        from darkroom.serverless.deploying import Stage  # noqa: PLC0415 # half a second that only these commands need
    return Stage(name, region)


def _print_plan(plan: "Plan", region: str) -> None:
    from darkroom.serverless.deploying import idle, summary  # noqa: PLC0415 # as in _stage

    if not plan.changes:
        typer.echo("  nothing to change")
    for line in summary(plan):
        typer.echo(f"  {line}")
    if plan.creates:
        costs = idle(plan, region)
        typer.echo(
            f"While nobody uses it, it costs about {costs.least:.2f} USD a month, {costs.most:.2f} where the account's "
            f"free tiers are used up (list prices of {costs.region}), and what is stored. The rest: `darkroom cost`"
        )


def _print_deployed(deployed: "Deployed") -> None:
    outputs = deployed.outputs
    print_facts(
        [
            ("pages", _pages(outputs["ApiUrl"])),
            ("api", outputs["ApiUrl"]),
            ("pictures", outputs["PicturesUrl"]),
            ("dashboard", outputs["DashboardUrl"]),
        ]
    )
    if deployed.key is not None:
        typer.echo("The first key, which may do everything. It is shown only now: keep it.")
        typer.echo(deployed.key)
        typer.echo(f"Sign in with it at {outputs['ApiUrl']}/signin, which opens the pages, or")
        typer.echo(f"try it: DARKROOM_KEY=… darkroom put PICTURE --server {outputs['ApiUrl']}")


def _pages(url: str | None) -> str | None:
    return None if url is None else f"{url}/"


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        msg = f"{text} is no NAME=VALUE, such as Originals=keep"
        raise typer.BadParameter(msg)
    return name, value


def _explained(do: Callable[[], Given]) -> Given:
    """Do something; end the command with a sentence when it goes wrong."""
    try:
        return do()
    except DarkroomError as error:
        fail(error.detail)
