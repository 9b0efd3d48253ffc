"""Every permission of the stack's roles, and what ends when it is taken away: a flow, or a rule of the contract.

A flow is a function that does on a deployed stack what somebody would, and asserts what they would notice. Run as a
program, this writes the table in ``docs/deploy-aws.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flows_of_events import (
    arrive,
    arrive_after_crashes,
    come_again,
    cross,
    erase,
    erase_parts,
    give_up,
    go_on_trying,
    job,
    job_of_renders,
    make_defaults,
    purge,
    purge_later,
    set_aside,
    sweep_after_crashes,
    sweep_expired,
    sweep_lost_original,
    sweep_missing,
    sweep_parts,
    sweep_undeleted,
)
from flows_of_pages import add_by_form, change_by_forms, delete_by_form, look, operate, select
from flows_of_the_api import (
    be_healthy,
    delete,
    delete_early,
    delete_parts,
    download,
    go_on_with_parts,
    keys,
    rate,
    reprocess,
    reprocess_from_rendition,
    search,
    tag,
    upload,
    upload_by_ticket,
)
from flows_on_demand import (
    delete_made,
    make_changed,
    renew_secrets,
    see,
    see_changed,
    see_early,
    see_later,
    see_whole,
    sweep_unused,
    view,
    view_changed,
    view_early,
    view_larger,
    view_later,
    view_whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flow_stage import Stage

    Flow = Callable[[Stage], None]

PAGE = Path(__file__).parents[2] / "docs" / "deploy-aws.md"
BEGIN, END = "<!-- permissions: written by `make docs` -->\n", "<!-- end of permissions -->\n"

LAMBDA_READS = "event_sources_can_work"
LAMBDA_LOGS = "functions_can_write_their_logs"
OF_THE_SWEEP = "test_the_sweep_may_remove_whatever_it_may_find"
LISTS = "readers_are_told_what_is_not_there"
TAGS = "results_are_tagged"
SELDOM = "what_is_seldom_done_is_allowed"

Needed = dict[str, "Flow | str"]

NEEDED: dict[tuple[str, str], Needed] = {
    ("ApiRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("ApiRole", "ReadImages"): {
        "dynamodb:GetItem": upload,
        "dynamodb:BatchGetItem": search,
        "dynamodb:Query": look,
    },
    ("ApiRole", "WriteImages"): {
        "dynamodb:PutItem": add_by_form,
        "dynamodb:UpdateItem": change_by_forms,
        "dynamodb:DeleteItem": tag,
        "dynamodb:BatchWriteItem": upload,
    },
    ("ApiRole", "ReadResults"): {"dynamodb:Query": delete},
    ("ApiRole", "WriteResults"): {"dynamodb:UpdateItem": delete_made, "dynamodb:BatchWriteItem": delete_made},
    ("ApiRole", "ReadSigningSecrets"): {"dynamodb:Query": see},
    ("ApiRole", "WriteSigningSecrets"): {"dynamodb:PutItem": renew_secrets, "dynamodb:DeleteItem": renew_secrets},
    ("ApiRole", "PublishSecrets"): {"lambda:InvokeFunction": renew_secrets},
    ("ApiRole", "ReadKeys"): {"dynamodb:GetItem": look, "dynamodb:BatchGetItem": keys, "dynamodb:Query": keys},
    ("ApiRole", "WriteKeys"): {
        "dynamodb:PutItem": keys,
        "dynamodb:UpdateItem": rate,
        "dynamodb:DeleteItem": keys,
        "dynamodb:BatchWriteItem": keys,
    },
    ("ApiRole", "PutOriginals"): {
        "s3:PutObject originals/*": upload_by_ticket,
        "s3:PutObject archive/*": reprocess_from_rendition,
    },
    ("ApiRole", "ListParts"): {"s3:ListMultipartUploadParts": go_on_with_parts},
    ("ApiRole", "AbortParts"): {"s3:AbortMultipartUpload": delete_parts},
    ("ApiRole", "ReadOriginals"): {"s3:GetObject originals/*": download, "s3:GetObject archive/*": download},
    ("ApiRole", "ListOriginals"): {"s3:ListBucket": be_healthy},
    ("ApiRole", "DeleteOriginals"): {
        "s3:DeleteObject originals/*": delete_early,
        "s3:DeleteObject archive/*": delete,
    },
    ("ApiRole", "ReadVariants"): {"s3:GetObject": reprocess_from_rendition},
    ("ApiRole", "ListVariants"): {"s3:ListBucket": be_healthy},
    ("ApiRole", "DeleteVariants"): {"s3:DeleteObject": delete_by_form},
    ("ApiRole", "CountEvents"): {"sqs:GetQueueAttributes": operate},
    ("ApiRole", "WorkOnDeadLetters"): {
        "sqs:GetQueueAttributes": operate,
        "sqs:ReceiveMessage": operate,
        "sqs:ChangeMessageVisibility": operate,
        "sqs:DeleteMessage": operate,
    },
    ("ApiRole", "SendEvents"): {"sqs:SendMessage": select},
    ("ApiRole", "SendPurges"): {"sqs:SendMessage": delete},
    ("TransformRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("TransformRole", "ReceiveEvents"): {
        "sqs:ReceiveMessage": LAMBDA_READS,
        "sqs:DeleteMessage": LAMBDA_READS,
        "sqs:GetQueueAttributes": LAMBDA_READS,
        "sqs:ChangeMessageVisibility": come_again,
    },
    ("TransformRole", "ReadImages"): {
        "dynamodb:GetItem": arrive,
        "dynamodb:BatchGetItem": arrive_after_crashes,
        "dynamodb:Query": job,
    },
    ("TransformRole", "WriteImages"): {
        "dynamodb:PutItem": arrive,
        "dynamodb:UpdateItem": arrive,
        "dynamodb:DeleteItem": job,
        "dynamodb:BatchWriteItem": arrive,
    },
    ("TransformRole", "ReadResults"): {"dynamodb:GetItem": see_later, "dynamodb:Query": erase},
    ("TransformRole", "WriteResults"): {
        "dynamodb:UpdateItem": see_later,
        "dynamodb:DeleteItem": make_changed,
        "dynamodb:BatchWriteItem": see_later,
    },
    ("TransformRole", "ReadOriginals"): {"s3:GetObject originals/*": arrive, "s3:GetObject archive/*": reprocess},
    ("TransformRole", "ListOriginals"): {"s3:ListBucket": give_up},
    ("TransformRole", "ArchiveOriginals"): {"s3:PutObject": arrive},
    ("TransformRole", "DeleteOriginals"): {"s3:DeleteObject originals/*": arrive, "s3:DeleteObject archive/*": erase},
    ("TransformRole", "AbortParts"): {"s3:AbortMultipartUpload": erase_parts},
    ("TransformRole", "ReadVariants"): {"s3:GetObject i/*": cross, "s3:GetObject default/*": make_defaults},
    ("TransformRole", "ListVariants"): {"s3:ListBucket": give_up},
    ("TransformRole", "PutVariants"): {"s3:PutObject i/*": arrive, "s3:PutObject default/*": make_defaults},
    ("TransformRole", "TagResults"): {"s3:PutObjectTagging": TAGS},
    ("TransformRole", "DeleteVariants"): {"s3:DeleteObject i/*": erase, "s3:DeleteObject default/*": make_defaults},
    ("TransformRole", "SendEvents"): {"sqs:SendMessage": go_on_trying},
    ("TransformRole", "BuryEvents"): {"sqs:SendMessage": set_aside},
    ("TransformRole", "CountDeadLetters"): {"sqs:GetQueueAttributes": job_of_renders},
    ("TransformRole", "SendPurges"): {"sqs:SendMessage": erase},
    ("SweepRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("SweepRole", "ReadImages"): {
        "dynamodb:GetItem": sweep_expired,
        "dynamodb:BatchGetItem": sweep_after_crashes,
        "dynamodb:Query": sweep_expired,
    },
    ("SweepRole", "WriteImages"): {
        "dynamodb:PutItem": sweep_missing,
        "dynamodb:UpdateItem": sweep_expired,
        "dynamodb:DeleteItem": sweep_expired,
        "dynamodb:BatchWriteItem": sweep_lost_original,
    },
    ("SweepRole", "ReadResults"): {
        "dynamodb:GetItem": SELDOM,
        "dynamodb:BatchGetItem": sweep_unused,
        "dynamodb:Query": sweep_unused,
    },
    ("SweepRole", "WriteResults"): {"dynamodb:DeleteItem": sweep_unused, "dynamodb:BatchWriteItem": sweep_unused},
    ("SweepRole", "ReadOriginals"): {
        "s3:GetObject originals/*": sweep_lost_original,
        "s3:GetObject archive/*": sweep_lost_original,
    },
    ("SweepRole", "ListOriginals"): {"s3:ListBucket": sweep_expired},
    ("SweepRole", "DeleteOriginals"): {
        "s3:DeleteObject originals/*": sweep_undeleted,
        "s3:DeleteObject archive/*": sweep_undeleted,
    },
    ("SweepRole", "AbortParts"): {"s3:AbortMultipartUpload": sweep_parts},
    ("SweepRole", "ReadDefaults"): {"s3:GetObject": sweep_expired},
    ("SweepRole", "ListVariants"): {"s3:ListBucket": sweep_expired},
    ("SweepRole", "DeleteVariants"): {
        "s3:DeleteObject i/*": sweep_undeleted,
        "s3:DeleteObject default/*": OF_THE_SWEEP,
    },
    ("SweepRole", "CountEvents"): {"sqs:GetQueueAttributes": sweep_expired},
    ("SweepRole", "SendEvents"): {"sqs:SendMessage": sweep_missing},
    ("SweepRole", "SendPurges"): {"sqs:SendMessage": sweep_undeleted},
    ("RenderRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("RenderRole", "ReadSigningSecrets"): {"dynamodb:Query": renew_secrets},
    ("RenderRole", "ReadImages"): {"dynamodb:GetItem": see},
    ("RenderRole", "ReadResults"): {"dynamodb:GetItem": see},
    ("RenderRole", "WriteResults"): {
        "dynamodb:UpdateItem": see,
        "dynamodb:DeleteItem": see_changed,
        "dynamodb:BatchWriteItem": see,
    },
    ("RenderRole", "ReadOriginals"): {"s3:GetObject originals/*": see_early, "s3:GetObject archive/*": see_whole},
    ("RenderRole", "ListOriginals"): {"s3:ListBucket": LISTS},
    ("RenderRole", "ReadVariants"): {"s3:GetObject": see},
    ("RenderRole", "ListVariants"): {"s3:ListBucket": LISTS},
    ("RenderRole", "PutResults"): {"s3:PutObject": see, "s3:PutObjectTagging": TAGS},
    ("RenderRole", "DeleteResults"): {"s3:DeleteObject": see_changed},
    ("RenderRole", "SendEvents"): {"sqs:SendMessage": see_later},
    ("IiifRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("IiifRole", "ReadSigningSecrets"): {"dynamodb:Query": view_larger},
    ("IiifRole", "ReadImages"): {"dynamodb:GetItem": view},
    ("IiifRole", "ReadResults"): {"dynamodb:GetItem": view},
    ("IiifRole", "WriteResults"): {
        "dynamodb:UpdateItem": view,
        "dynamodb:DeleteItem": view_changed,
        "dynamodb:BatchWriteItem": view,
    },
    ("IiifRole", "ReadOriginals"): {"s3:GetObject originals/*": view_early, "s3:GetObject archive/*": view_whole},
    ("IiifRole", "ListOriginals"): {"s3:ListBucket": LISTS},
    ("IiifRole", "ReadVariants"): {"s3:GetObject": view},
    ("IiifRole", "ListVariants"): {"s3:ListBucket": LISTS},
    ("IiifRole", "PutResults"): {"s3:PutObject": view, "s3:PutObjectTagging": TAGS},
    ("IiifRole", "DeleteResults"): {"s3:DeleteObject": view_changed},
    ("IiifRole", "SendEvents"): {"sqs:SendMessage": view_later},
    ("SecretsRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("SecretsRole", "ReadSigningSecrets"): {"dynamodb:Query": renew_secrets},
    ("SecretsRole", "ReadEdge"): {
        "cloudfront-keyvaluestore:DescribeKeyValueStore": renew_secrets,
        "cloudfront-keyvaluestore:ListKeys": renew_secrets,
    },
    ("SecretsRole", "WriteEdge"): {"cloudfront-keyvaluestore:UpdateKeys": renew_secrets},
    ("PurgeRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("PurgeRole", "ReceivePurges"): {
        "sqs:ReceiveMessage": LAMBDA_READS,
        "sqs:DeleteMessage": LAMBDA_READS,
        "sqs:GetQueueAttributes": LAMBDA_READS,
        "sqs:ChangeMessageVisibility": purge_later,
    },
    ("PurgeRole", "Invalidate"): {"cloudfront:CreateInvalidation": purge},
}
"""What needs each permission: a flow that ends without it, or the rule of the contract that it breaks to lack it.

Lambda itself reads queues and writes logs with a function's role; S3 asks for a permission of its own for the tags that
come with an object, and for saying that one is not there. The emulator lets both do without.
"""

FLOWS: tuple[Flow, ...] = tuple(
    dict.fromkeys(flow for needed in NEEDED.values() for flow in needed.values() if not isinstance(flow, str))
)


def table() -> str:
    """Return the table of the document."""
    lines = ["| role | policy | permission | without it nobody can |", "|---|---|---|---|"]
    for (role, policy), needed in NEEDED.items():
        for permission, by in needed.items():
            ends = f"`{by}`" if isinstance(by, str) else str(by.__doc__)
            lines.append(f"| {role.removesuffix('Role')} | {policy} | `{permission}` | {ends} |")
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """Return a page with the table as it has to be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
