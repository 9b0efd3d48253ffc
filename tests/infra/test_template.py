"""What infra/ decides, asked of the templates as CloudFormation reads them."""

import json
import re
import subprocess
import tomllib

import pytest

from contract import as_list, policies_of, problems, role_of, statements
from darkroom import names, sweep
from darkroom.capacity.assumptions import Assumptions
from darkroom.cost.presets import preset
from darkroom.edge.answers import Lifetimes
from darkroom.edge.window import ASKED
from darkroom.errors import BadConfiguration
from darkroom.http import cross_origin
from darkroom.serverless.edge import origin_response
from darkroom.serverless.wire import RENDER_PATIENCE_SECONDS, RESULT_TAGS, SPARE_BYTES
from darkroom.settings import SMALLEST_S3_PART, CloudSettings, cloud_from_mapping
from stacks import EVERYTHING, IIIF, INFRA, LEAST, TOOLS, of_type, resolved, translated

STACKS = pytest.mark.parametrize(
    "parameters",
    [{}, EVERYTHING, LEAST, IIIF, {"Originals": "keep"}],
    ids=["default", "everything", "least", "iiif", "keeping"],
)
EDGE = {
    "AssetsDomain": "images.example",
    "HostedZoneId": "Z1",
    "MissingImage": "lambda-edge",
    "CodeBucket": "packages",
    "Firewall": "on",
}
ALWAYS = {"ApiFunction", "TransformFunction", "RenderFunction", "SecretsFunction", "SweepFunction", "PurgeFunction"}
FUNCTIONS = ALWAYS | {"IiifFunction"}


def distribution(parameters=None):
    return resolved(parameters)["CloudFrontDistribution"]["Properties"]["DistributionConfig"]


def of(logical_id, parameters=None):
    return resolved(parameters)[logical_id]["Properties"]


def lifecycle(bucket, parameters=None):
    return {each["Id"]: each for each in of(bucket, parameters)["LifecycleConfiguration"]["Rules"]}


def test_cfn_lint_has_nothing_to_say():
    ran = subprocess.run(
        [TOOLS / "cfn-lint", *sorted(INFRA.glob("*.yaml"))], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "")


@STACKS
def test_no_rule_of_the_contract_is_broken(parameters):
    assert problems(resolved(parameters)) == []


def test_nor_in_the_stacks_beside_it():
    assert problems(resolved(EDGE, "edge.yaml")) == []
    assert problems(resolved({"DistributionArn": "arn:aws:cloudfront::1:distribution/E"}, "replica.yaml")) == []


def test_logical_ids_are_those_of_the_published_sketch():
    kept = {
        "FilesTable",
        "ObjectCreatedTopic",
        "ObjectCreatedTopicPolicy",
        "UploadBucket",
        "AssetsBucket",
        "CloudFrontOriginAccessControl",
        "CloudFrontDistribution",
        "AssetsBucketPolicy",
    }
    assert kept <= resolved().keys()
    assert {"EdgeLambda", "EdgeLambdaVersion"} <= resolved(EDGE, "edge.yaml").keys()


def test_every_way_of_making_an_object_is_an_event_also_an_upload_in_parts():
    (configured,) = of("UploadBucket")["NotificationConfiguration"]["TopicConfigurations"]
    assert configured["Event"] == "s3:ObjectCreated:*"
    assert configured["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "originals/"}]


@pytest.mark.parametrize("bucket", ["UploadBucket", "AssetsBucket"])
def test_buckets_answer_over_tls_only_are_encrypted_and_have_no_acls(bucket):
    denied = [each for each in statements(of(f"{bucket}Policy")["PolicyDocument"]) if each["Effect"] == "Deny"]
    assert [each["Condition"] for each in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
    assert denied[0]["Action"] == "s3:*"
    assert of(bucket)["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "BucketEncryption" in of(bucket)


OWN = {"Fn::GetAtt": ["Api", "ApiEndpoint"]}


@pytest.mark.parametrize(
    ("parameters", "origins"),
    [
        ({}, [[OWN]]),
        ({"PublicUrl": "https://images.example"}, [[OWN, "https://images.example"]]),
        (EVERYTHING, [[OWN], EVERYTHING["AllowedOrigins"]]),
    ],
)
def test_the_pages_themselves_and_those_of_the_allowed_origins_may_put_and_no_others(parameters, origins):
    rules = of("UploadBucket", parameters)["CorsConfiguration"]["CorsRules"]
    assert [rule["AllowedOrigins"] for rule in rules] == origins
    for rule in rules:
        assert rule["AllowedMethods"] == ["PUT"]
        assert rule["ExposedHeaders"] == ["ETag"]


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("", True),
        ("https://images.example", True),
        ("http://127.0.0.1:8001", True),
        ("https://images.example/", False),
        ("https://images.example/api", False),
        ("images.example", False),
    ],
)
def test_the_public_address_is_what_browsers_call_an_origin(url, taken):
    pattern = translated()["Parameters"]["PublicUrl"]["AllowedPattern"]
    assert (re.fullmatch(pattern, url) is not None) is taken


def test_the_api_says_the_same_of_other_origins_as_on_one_machine():
    assert "CorsConfiguration" not in of("Api")
    rule = of("Api", EVERYTHING)["CorsConfiguration"]
    assert ", ".join(rule["AllowMethods"]).encode() == cross_origin.METHODS
    assert ", ".join(rule["AllowHeaders"]).encode() == cross_origin.REQUEST_HEADERS
    assert ", ".join(rule["ExposeHeaders"]).encode() == cross_origin.ANSWER_HEADERS
    assert str(rule["MaxAge"]).encode() == cross_origin.PREFLIGHT_SECONDS


def test_what_uploads_leave_behind_goes_but_never_a_kept_original():
    rules = lifecycle("UploadBucket")
    assert rules["aborted-multipart-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    forgotten = rules["forgotten-uploads"]
    assert forgotten["Status"] == "Enabled"
    assert forgotten["ExpirationInDays"] > 2 * CloudSettings.model_fields["failed_days"].default
    assert lifecycle("UploadBucket", {"Originals": "keep"})["forgotten-uploads"]["Status"] == "Disabled"
    assert all(each.get("Prefix") != "archive/" or "ExpirationInDays" not in each for each in rules.values())


def test_the_upload_bucket_has_no_versions_and_the_other_one_only_where_it_is_replicated():
    assert "VersioningConfiguration" not in of("UploadBucket", EVERYTHING)
    assert "VersioningConfiguration" not in of("AssetsBucket")
    assert of("AssetsBucket", EVERYTHING)["VersioningConfiguration"] == {"Status": "Enabled"}
    assert lifecycle("AssetsBucket", EVERYTHING)["deleted-versions"]["NoncurrentVersionExpiration"]


@pytest.mark.parametrize(
    ("storage_class", "days"), [("INTELLIGENT_TIERING", 0), ("GLACIER_IR", 0), ("STANDARD_IA", 30), ("STANDARD", None)]
)
def test_the_storage_class_is_chosen_by_a_parameter(storage_class, days):
    rule = lifecycle("AssetsBucket", {"StorageClass": storage_class}).get("storage-class")
    if days is None:
        assert rule is None
    else:
        assert rule["Transitions"] == [{"StorageClass": storage_class, "TransitionInDays": days}]


@pytest.mark.parametrize("table", ["FilesTable", "KeysTable", "SecretsTable", "ResultsTable"])
def test_tables_are_on_demand_with_point_in_time_recovery_and_expiry(table):
    properties = of(table)
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    keys = [(each["AttributeName"], each["KeyType"]) for each in properties["KeySchema"]]
    assert keys == [("pk", "HASH"), ("sk", "RANGE")]


@STACKS
def test_events_are_tried_as_often_as_the_service_says_then_wait_for_a_person(parameters):
    resources = resolved(parameters)
    policy = resources["TransformQueue"]["Properties"]["RedrivePolicy"]
    variables = resources["TransformFunction"]["Properties"]["Environment"]["Variables"]
    assert policy["maxReceiveCount"] == int(variables["DARKROOM_ATTEMPTS"]) + 1
    assert policy["deadLetterTargetArn"] == {"Fn::GetAtt": ["TransformDeadLetters", "Arn"]}
    assert variables["DARKROOM_FAILED_QUEUE_URL"] == {"Ref": "TransformDeadLetters"}
    fortnight = 14 * 24 * 3600
    assert resources["TransformDeadLetters"]["Properties"]["MessageRetentionPeriod"] == fortnight


def test_every_function_runs_on_arm64_with_the_python_it_is_packaged_for():
    assert of_type(resolved(), "AWS::Lambda::Function").keys() == ALWAYS
    functions = of_type(resolved(IIIF), "AWS::Lambda::Function")
    assert functions.keys() == FUNCTIONS
    assert {each["Runtime"] for each in functions.values()} == {"python3.13"}
    assert {tuple(each["Architectures"]) for each in functions.values()} == {("arm64",)}


@STACKS
def test_functions_are_told_what_the_settings_know_and_nothing_else(parameters):
    known = {f"DARKROOM_{name.upper()}" for name in CloudSettings.model_fields}
    for name, function in of_type(resolved(parameters), "AWS::Lambda::Function").items():
        assert function["Environment"]["Variables"].keys() <= known, name


def test_only_what_signs_and_verifies_has_a_way_to_signing_secrets_and_what_decodes_reads_them_at_most():
    resources = resolved(IIIF)
    knowing = {"ApiFunction", "RenderFunction", "SecretsFunction", "IiifFunction"}
    for name in FUNCTIONS:
        function = resources[name]["Properties"]
        policies = policies_of(resources, role_of(function))
        told = json.dumps([function["Environment"], policies])
        assert ("SecretsTable" in told) == (name in knowing), name
        if name != "ApiFunction":
            assert not {
                each for each in policies if each.startswith("Write") and "SecretsTable" in json.dumps(policies[each])
            }
        assert ("EdgeSecrets" in told) == (name == "SecretsFunction"), name


def test_what_decodes_strangers_files_has_no_way_to_keys_and_what_strangers_wait_for_none_to_images():
    resources = resolved(IIIF)
    for name in FUNCTIONS - {"ApiFunction"}:
        function = resources[name]["Properties"]
        told = json.dumps([function["Environment"], policies_of(resources, role_of(function))])
        assert "KeysTable" not in told, name
        assert "ssm:" not in told, name
    for role in ("RenderRole", "IiifRole"):
        for policy, document in policies_of(resources, role).items():
            if "FilesTable" in json.dumps(document):
                assert [each["Action"] for each in statements(document)] == ["dynamodb:GetItem"], policy


def test_uploads_in_parts_are_listed_by_the_api_and_given_up_by_whoever_deletes():
    resources = resolved(IIIF)
    of_originals = {"Fn::Sub": "${UploadBucket.Arn}/originals/*"}
    may = {}
    for name in FUNCTIONS:
        for policy, document in policies_of(resources, role_of(resources[name]["Properties"])).items():
            for statement in statements(document):
                if any("Multipart" in action for action in as_list(statement["Action"])):
                    assert statement["Resource"] == of_originals
                    may.setdefault(name, {})[policy] = statement["Action"]
    give_up = {"AbortParts": "s3:AbortMultipartUpload"}
    assert may == {
        "ApiFunction": {"ListParts": "s3:ListMultipartUploadParts"} | give_up,
        "TransformFunction": give_up,
        "SweepFunction": give_up,
    }


def test_parts_are_kept_for_as_long_as_an_upload_may_go_on():
    rule = lifecycle("UploadBucket")["aborted-multipart-uploads"]["AbortIncompleteMultipartUpload"]
    assert rule["DaysAfterInitiation"] * 86_400 > CloudSettings.model_fields["parts_seconds"].default
    with pytest.raises(ValueError, match="parts of fewer"):
        CloudSettings(part_bytes=SMALLEST_S3_PART - 1)


def test_who_works_on_jobs_may_count_what_waits_and_receive_nothing_of_what_is_dead():
    resources = resolved()
    of_the_dead = {"Fn::GetAtt": ["TransformDeadLetters", "Arn"]}
    may = {
        policy: statement["Action"]
        for policy, document in policies_of(resources, "TransformRole").items()
        for statement in statements(document)
        if statement["Resource"] == of_the_dead
    }
    assert may == {"BuryEvents": "sqs:SendMessage", "CountDeadLetters": "sqs:GetQueueAttributes"}


def test_the_sweep_may_remove_whatever_it_may_find():
    """Also a default image that no recipe makes any more: it has to be older than an emulator lets an object be."""
    document = policies_of(resolved(), "SweepRole")
    may_remove = {
        each["Fn::Sub"].partition("}/")[2]
        for policy in ("DeleteOriginals", "DeleteVariants")
        for each in statements(document[policy])[0]["Resource"]
    }
    objects = {home for homes in sweep._HOMES.values() for home in homes} - {names.PARTS}  # these are none on S3
    assert may_remove == {f"{home}*" for home in objects}


@STACKS
def test_no_function_may_scan_or_list_tables(parameters):
    resources = resolved(parameters)
    allowed = {
        action
        for role in of_type(resources, "AWS::IAM::Role")
        for document in policies_of(resources, role).values()
        for statement in statements(document)
        for action in as_list(statement["Action"])
    }
    assert "dynamodb:Query" in allowed
    assert not allowed & {"dynamodb:Scan", "dynamodb:PartiQLSelect", "dynamodb:ListTables"}


@STACKS
def test_one_distribution_delivers_what_lies_under_i_and_default_over_http_3(parameters):
    config = distribution(parameters)
    assert config["HttpVersion"] == "http2and3"
    behaviours = {each["PathPattern"]: each for each in config["CacheBehaviors"]}
    assert list(behaviours) == ["/i/*/t/*.auto", "/i/*/t/*", "/i/*.*", "/i/*", "/default/*"]
    for each in [*behaviours.values(), config["DefaultCacheBehavior"]]:
        assert each["ViewerProtocolPolicy"] == "redirect-to-https"
        assert each["AllowedMethods"] == ["GET", "HEAD"]
    viewer = [{"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["ViewerFunction", "FunctionARN"]}}]
    for each in (behaviours["/i/*.*"], behaviours["/i/*"], config["DefaultCacheBehavior"]):
        assert each["FunctionAssociations"] == viewer
    assert {each["Id"] for each in config["Origins"]} <= {"assets", "replica", "render"}


@STACKS
def test_transformations_are_verified_at_the_edge_and_looked_for_before_they_are_made(parameters):
    config = distribution(parameters)
    behaviours = {each["PathPattern"]: each for each in config["CacheBehaviors"]}
    for pattern, origin in (("/i/*/t/*.auto", "render"), ("/i/*/t/*", "kept-or-made")):
        assert behaviours[pattern]["TargetOriginId"] == origin
        functions = {
            each["EventType"]: each["FunctionARN"]["Fn::GetAtt"][0]
            for each in behaviours[pattern]["FunctionAssociations"]
        }
        assert functions == {
            "viewer-request": "TransformationRequestFunction",
            "viewer-response": "TransformationResponseFunction",
        }
        assert behaviours[pattern]["CachePolicyId"] == {"Ref": "PicturesCachePolicy"}
        assert behaviours[pattern]["OriginRequestPolicyId"] == {"Ref": "AskedOriginPolicy"}
    forwarded = of("AskedOriginPolicy", parameters)["OriginRequestPolicyConfig"]["HeadersConfig"]["Headers"]
    assert {each.lower() for each in forwarded} == {ASKED, "accept"}


def test_a_result_is_removed_after_its_days_by_what_it_is_tagged_with():
    rule = lifecycle("AssetsBucket")["results"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", "30")
    assert {each["Key"]: each["Value"] for each in rule["TagFilters"]} == RESULT_TAGS
    assert lifecycle("AssetsBucket", {"ResultDays": "0"})["results"]["Status"] == "Disabled"
    assert lifecycle("AssetsBucket", {"ResultDays": "7"})["results"]["ExpirationInDays"] == "7"
    variables = of("SweepFunction", {"ResultDays": "7"})["Environment"]["Variables"]
    assert variables["DARKROOM_RESULT_DAYS"] == "7"


def test_pictures_made_at_a_time_are_bounded_where_somebody_says_so():
    assert "ReservedConcurrentExecutions" not in of("RenderFunction")
    assert of("RenderFunction", {"RenderConcurrency": "20"})["ReservedConcurrentExecutions"] == "20"


def test_what_makes_pictures_does_not_wait_for_the_distribution_that_waits_for_it():
    assert "CloudFrontDistribution" not in json.dumps(of("RenderFunction"))
    assert of("RenderFunction")["Timeout"] > RENDER_PATIENCE_SECONDS
    assert float(of("RenderFunction")["Environment"]["Variables"]["DARKROOM_RENDER_SECONDS"]) < RENDER_PATIENCE_SECONDS


def test_only_our_distribution_reads_the_assets_and_only_what_is_public():
    allowed = [each for each in statements(of("AssetsBucketPolicy")["PolicyDocument"]) if each["Effect"] == "Allow"]
    (statement,) = allowed
    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert statement["Action"] == "s3:GetObject"
    assert [each["Fn::Sub"] for each in statement["Resource"]] == [
        "${AssetsBucket.Arn}/i/*",
        "${AssetsBucket.Arn}/default/*",
    ]
    assert "${CloudFrontDistribution}" in statement["Condition"]["StringEquals"]["aws:SourceArn"]["Fn::Sub"]
    assert of("CloudFrontOriginAccessControl")["OriginAccessControlConfig"]["SigningBehavior"] == "always"


def test_the_edge_keeps_pictures_by_their_path_alone():
    forwarded = of("PicturesCachePolicy")["CachePolicyConfig"]["ParametersInCacheKeyAndForwardedToOrigin"]
    assert forwarded["QueryStringsConfig"] == {"QueryStringBehavior": "none"}
    assert forwarded["HeadersConfig"] == {"HeaderBehavior": "none"}
    assert forwarded["CookiesConfig"] == {"CookieBehavior": "none"}
    assert of("PicturesCachePolicy")["CachePolicyConfig"]["MaxTTL"] == Lifetimes().edge


def headers_of(policy):
    config = of(policy)["ResponseHeadersPolicyConfig"]
    assert config["SecurityHeadersConfig"] == {"ContentTypeOptions": {"Override": True}}
    return {each["Header"]: each["Value"] for each in config["CustomHeadersConfig"]["Items"]}


def test_answers_have_the_headers_of_the_contract():
    everybody = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    assert headers_of("PicturesHeadersPolicy") == everybody
    assert headers_of("NegotiatedHeadersPolicy") == everybody | {"Vary": "Accept"}
    missing = {"Cache-Control": f"public, max-age={Lifetimes().miss}", "X-Default-Image": "missing"}
    assert headers_of("DefaultImageHeadersPolicy") == everybody | missing
    used = {each["PathPattern"]: each["ResponseHeadersPolicyId"]["Ref"] for each in distribution()["CacheBehaviors"]}
    assert used == {
        "/i/*/t/*.auto": "NegotiatedHeadersPolicy",
        "/i/*/t/*": "PicturesHeadersPolicy",
        "/i/*.*": "PicturesHeadersPolicy",
        "/i/*": "NegotiatedHeadersPolicy",
        "/default/*": "DefaultImageHeadersPolicy",
    }


def test_what_is_missing_is_answered_by_an_error_page_and_a_bucket_in_trouble_is_not():
    pages = {each["ErrorCode"]: each for each in distribution()["CustomErrorResponses"]}
    assert pages.pop(503) == {"ErrorCode": 503, "ErrorCachingMinTTL": 1}
    assert pages.keys() == {403, 404}
    for each in pages.values():
        assert each["ResponseCode"] == 404
        assert each["ResponsePagePath"].startswith("/default/")
        assert each["ErrorCachingMinTTL"] == Lifetimes().miss == origin_response.MISS_SECONDS
    assert all("LambdaFunctionAssociations" not in each for each in distribution()["CacheBehaviors"])


def test_or_by_lambda_at_the_edge():
    config = distribution(EVERYTHING)
    assert config["CustomErrorResponses"] == [{"ErrorCode": 503, "ErrorCachingMinTTL": 1}]
    for each in config["CacheBehaviors"][:4]:
        (function,) = each["LambdaFunctionAssociations"]
        assert function["EventType"] == "origin-response"
        assert function["LambdaFunctionARN"] == EVERYTHING["EdgeFunctionVersionArn"]


def test_the_replica_answers_while_the_bucket_does_not_and_only_then():
    assert [each["Id"] for each in distribution()["OriginGroups"]["Items"]] == ["kept-or-made"]
    config = distribution(EVERYTHING)
    (group,) = [each for each in config["OriginGroups"]["Items"] if each["Id"] == "assets-or-replica"]
    assert group["FailoverCriteria"]["StatusCodes"]["Items"] == [500, 502, 503, 504]
    assert [each["OriginId"] for each in group["Members"]["Items"]] == ["assets", "replica"]
    assert all(each["TargetOriginId"] == group["Id"] for each in config["CacheBehaviors"][2:])
    (rule,) = of("AssetsBucket", EVERYTHING)["ReplicationConfiguration"]["Rules"]
    assert rule["DeleteMarkerReplication"] == {"Status": "Enabled"}


def test_purges_lapse_without_a_queue():
    resources = resolved(LEAST)
    assert not {name for name in resources if "Purge" in name}
    assert resources["ApiFunction"]["Properties"]["Environment"]["Variables"]["DARKROOM_PURGE_QUEUE_URL"] == ""
    assert "SendPurges" not in policies_of(resources, "ApiRole")


@STACKS
def test_somebody_is_told_of_everything_that_goes_wrong(parameters):
    resources = resolved(parameters)
    watched = {
        (each["MetricName"], value)
        for each in of_type(resources, "AWS::CloudWatch::Alarm").values()
        for dimension in each["Dimensions"]
        for value in re.findall(r'"(\w+(?:Function|Queue|Letters)|Api)"', json.dumps(dimension["Value"]))
    }
    assert ("ApproximateNumberOfMessagesVisible", "TransformDeadLetters") in watched
    assert ("ApproximateAgeOfOldestMessage", "TransformQueue") in watched
    assert {("Throttles", "ApiFunction"), ("Throttles", "TransformFunction"), ("5xx", "Api")} <= watched
    assert {name for metric, name in watched if metric == "Throttles"} >= {"RenderFunction", "IiifFunction"} & (
        resources.keys()
    )
    assert {name for metric, name in watched if metric == "Errors"} == FUNCTIONS & resources.keys()
    if "PurgeQueue" in resources:
        assert ("ApproximateNumberOfMessagesVisible", "PurgeDeadLetters") in watched
    assert of("Dashboard", parameters)


@pytest.mark.parametrize(("stage", "days"), [("dev", 7), ("prod", 90)])
def test_logs_are_kept_as_long_as_the_stage_says(stage, days):
    assert translated()["Mappings"]["Stages"][stage]["LogDays"] == days
    groups = of_type(resolved(IIIF | {"Stage": stage}), "AWS::Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS)
    for each in groups.values():
        assert each["RetentionInDays"] == {"Fn::FindInMap": ["Stages", stage, "LogDays"]}


def test_the_sweep_is_started_by_a_schedule():
    rules = of_type(resolved(), "AWS::Events::Rule").values()
    scheduled = {each["Targets"][0]["Arn"]["Fn::GetAtt"][0]: each["ScheduleExpression"] for each in rules}
    assert scheduled == {"SweepFunction": "rate(7 days)", "SecretsFunction": "rate(1 day)"}


def test_options_that_need_something_say_so_before_anything_is_made():
    assert translated()["Rules"].keys() == {
        "LambdaEdgeNeedsItsFunction",
        "DomainNeedsItsCertificate",
        "ReplicaNeedsItsBucket",
    }


def test_sam_deploys_what_was_packaged_each_stage_as_a_stack_of_its_own():
    configured = tomllib.loads((INFRA / "samconfig.toml").read_text())
    stages = {}
    for name in ("default", "prod"):
        given = configured[name]["deploy"]["parameters"]
        assert given["template_file"] == "dist/aws/template.yaml"
        assert given["capabilities"] == "CAPABILITY_IAM"
        stages[given["stack_name"]] = given["parameter_overrides"]
    assert stages == {"darkroom-dev": "Stage=dev", "darkroom-prod": "Stage=prod"}


def test_a_stage_finds_images_by_what_one_machine_does():
    kinds = of("ApiFunction")["Environment"]["Variables"]["DARKROOM_SEARCH_KINDS"]
    assert tuple(kinds.split(",")) == CloudSettings.model_fields["search_kinds"].default


def test_what_the_bill_and_the_capacity_take_from_the_template_is_what_stands_in_it():
    scenario, assumed = preset("darkroom"), Assumptions()
    assert scenario.upload_mib == of("ApiFunction")["MemorySize"]
    assert scenario.transform_mib == of("TransformFunction")["MemorySize"]
    assert scenario.alarms == len(of_type(resolved(), "AWS::CloudWatch::Alarm"))
    assert scenario.dashboards == len(of_type(resolved(), "AWS::CloudWatch::Dashboard"))
    every_days = int(re.fullmatch(r"rate\((\d+) days\)", of("SweepFunctionSchedule")["ScheduleExpression"])[1])
    assert scenario.sweeps == pytest.approx(30 / every_days, abs=0.02)
    assert assumed.api_rate == float(of("ApiStage")["DefaultRouteSettings"]["ThrottlingRateLimit"])
    assert assumed.sweep_seconds == of("SweepFunction")["Timeout"] - 30


def test_iiif_is_not_there_unless_an_owner_is_named_and_has_a_lock_of_its_own_before_any_function():
    assert not {name for name in resolved() if "Iiif" in name}
    resources = resolved(IIIF | {"ApiRate": "50", "ApiBurst": "80"})
    (stage,) = [
        each for each in of_type(resources, "AWS::ApiGatewayV2::Stage").values() if each["ApiId"] == {"Ref": "IiifApi"}
    ]
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": "50", "ThrottlingBurstLimit": "80"}
    (route,) = [
        each for each in of_type(resources, "AWS::ApiGatewayV2::Route").values() if each["ApiId"] == {"Ref": "IiifApi"}
    ]
    assert route["RouteKey"] == "ANY /iiif/{proxy+}"
    variables = resources["IiifFunction"]["Properties"]["Environment"]["Variables"]
    told = {name: variables[f"DARKROOM_IIIF_{name}"] for name in ("OWNERS", "RATE", "BURST")}
    defaults = CloudSettings.model_fields
    assert told == {
        "OWNERS": "local",
        "RATE": f"{defaults['iiif_rate'].default:g}",
        "BURST": str(defaults["iiif_burst"].default),
    }
    assert resources["IiifFunction"]["Properties"]["Timeout"] > RENDER_PATIENCE_SECONDS
    assert float(variables["DARKROOM_RENDER_SECONDS"]) < RENDER_PATIENCE_SECONDS


def test_unsigned_sizes_are_told_to_who_verifies_and_to_who_tells_the_edge():
    for name in ("RenderFunction", "SecretsFunction"):
        assert of(name)["Environment"]["Variables"]["DARKROOM_UNSIGNED_SIZES"] == ""
        asked = of(name, {"UnsignedSizes": "320x0"})["Environment"]["Variables"]
        assert asked["DARKROOM_UNSIGNED_SIZES"] == "320x0"


@pytest.mark.parametrize(
    ("parameter", "setting", "right", "wrong"),
    [
        (
            "UnsignedSizes",
            "DARKROOM_UNSIGNED_SIZES",
            ("", "320x0", "0x1", "8192x8192", "640x480,8099x100,8189x0,8190x7999,9x9"),
            ("0x0", "8193x1", "1x8200", "9000x0", "320", "320x", "x", "-1x5", "1.5x2", "axb", "99999x1"),
        ),
        ("IiifOwners", "DARKROOM_IIIF_OWNERS", ("", "local", "a-b_c,2"), ("Local", "a b", "a" * 65, "ö")),
    ],
)
def test_a_parameter_that_the_functions_would_not_start_with_is_refused_before(parameter, setting, right, wrong):
    pattern = translated()["Parameters"][parameter]["AllowedPattern"]
    for text in right:
        assert re.fullmatch(pattern, text), text
        cloud_from_mapping({setting: text})
    for text in wrong:
        assert not re.fullmatch(pattern, text), text
        with pytest.raises(BadConfiguration, match=setting):
            cloud_from_mapping({setting: text})


@pytest.mark.parametrize("function", ["TransformFunction", "RenderFunction", "IiifFunction"])
def test_the_largest_picture_of_the_greediest_format_fits_into_memory(function):
    # AVIF with whole colour and alpha: 1,793 MiB for 100 megapixels (bench/jail.py --largest, docs/performance.md).
    pixels = int(of(function, IIIF)["Environment"]["Variables"]["DARKROOM_MAX_PIXELS"])
    bytes_each = 1793 * 2**20 / 100_000_000
    assert pixels * bytes_each <= 0.95 * (of(function, IIIF)["MemorySize"] * 2**20 - SPARE_BYTES)
