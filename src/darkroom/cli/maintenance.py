"""``darkroom sweep``, ``audit`` and ``verify``: whether all that is stored is as it should be, and setting it right."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from darkroom.cli.connect import Json, complain
from darkroom.cli.here import Data, Region, StageName, library
from darkroom.cli.output import print_columns, print_json, shown, size

if TYPE_CHECKING:
    from darkroom.sweep import Finding
    from darkroom.verify import Faulty


def sweep(
    *,
    data: Data = None,
    stage: StageName = None,
    region: Region = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find the same, and change nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Remove objects that no image owns, also when they are very many.")
    ] = False,
    json: Json = False,
) -> None:
    """Find what crashes and time leave behind, and set it right; the service does so by itself, about every hour."""

    def tell(finding: "Finding", mended: bool) -> None:  # noqa: FBT001 # as a sweep tells it
        if json:
            print_json(_found(finding) | {"mended": mended})
        else:
            left = "" if mended or dry_run else "  left as it is"
            typer.echo(f"{finding.kind:<18}  {shown(finding.key or finding.image_id)}{left}")

    with library(data, stage, region) as opened:
        report = opened.sweep(dry=dry_run, force=force, tell=tell)
    if json:
        counts = {
            kind.value: {"found": count.found, "bytes": count.bytes, "mended": count.mended}
            for kind, count in report.kinds.items()
        }
        seen = {"images": report.images, "objects": report.objects, "bytes": report.bytes}
        print_json(seen | {"seconds": round(report.seconds, 3), "withheld": report.withheld, "kinds": counts})
    else:
        if report.kinds:
            typer.echo()
            rows = [
                (kind.value, str(count.found), size(count.bytes), "" if dry_run else str(count.mended))
                for kind, count in report.kinds.items()
            ]
            print_columns(("KIND", "FOUND", "SIZE", "" if dry_run else "SET RIGHT"), rows)
            typer.echo()
        typer.echo(f"{_extent(report.images, report.objects, report.bytes)} looked at in {report.seconds:.1f} s")
    if report.withheld:
        complain(
            "objects that no image owns are so many that the catalog may have lost its images; if it has not, "
            "run this again with --force"
        )
        raise typer.Exit(1)


def audit(*, data: Data = None, stage: StageName = None, region: Region = None, json: Json = False) -> None:
    """Prove that the buckets hold what the catalog says and nothing else; exit code 1 with the differences if not."""

    def tell(finding: "Finding") -> None:
        if json:
            print_json(_found(finding))
        else:
            typer.echo(f"{finding.kind:<18}  {shown(finding.key or finding.image_id)}")

    with library(data, stage, region) as opened:
        result = opened.audit(tell=tell)
    if json:
        seen = {"images": result.images, "objects": result.objects, "bytes": result.bytes}
        counts = {kind.value: count for kind, count in result.differences.items()}
        print_json(seen | {"seconds": round(result.seconds, 3), "agrees": result.agrees, "differences": counts})
    else:
        verdict = "no difference" if result.agrees else f"differences: {sum(result.differences.values())}"
        typer.echo(f"{_extent(result.images, result.objects, result.bytes)}: {verdict}")
    if not result.agrees:
        raise typer.Exit(1)


def verify(
    *,
    data: Data = None,
    stage: StageName = None,
    region: Region = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Have images with damaged variants made anew, where that can be done.")
    ] = False,
    json: Json = False,
) -> None:
    """Read every stored byte and compare it with its checksum; exit code 1 if anything is damaged."""

    def tell(faulty: "Faulty", repaired: bool) -> None:  # noqa: FBT001 # as it is told
        if json:
            print_json({"fault": faulty.fault, "key": faulty.key, "image": faulty.image_id or None, "repair": repaired})
        else:
            typer.echo(f"{faulty.fault:<16}  {shown(faulty.key)}" + ("  is made anew" if repaired else ""))

    with library(data, stage, region) as opened:
        result = opened.verify(repair=repair, tell=tell)
    if json:
        seen = {"images": result.images, "objects": result.objects, "bytes": result.bytes}
        counts = {fault.value: count for fault, count in result.faults.items()}
        found = {"unrecorded": result.unrecorded, "sound": result.sound, "faults": counts, "repairs": result.repairs}
        print_json(seen | {"seconds": round(result.seconds, 3)} | found)
    else:
        verdict = "sound" if result.sound else f"not as they were stored: {sum(result.faults.values())}"
        rate = size(result.bytes / max(result.seconds, 0.001))
        typer.echo(f"{_extent(result.images, result.objects, result.bytes)} read, {rate}/s: {verdict}")
        if result.unrecorded:
            typer.echo(f"not recorded, so not compared: {result.unrecorded}")
        if result.repairs:
            typer.echo(f"images that the service makes anew: {result.repairs}; verify again when it has done so")
    if not result.sound:
        raise typer.Exit(1)


def _found(finding: "Finding") -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "place": finding.place,
        "image": finding.image_id or None,
        "key": finding.key or None,
        "bytes": finding.bytes,
    }


def _extent(images: int, objects: int, length: int) -> str:
    return f"{images} images, {objects} objects, {size(length)}"
