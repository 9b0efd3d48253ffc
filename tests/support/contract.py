"""What AWS refuses or does in silence, and neither cfn-lint nor an emulator tells: rules over a resolved template.

Each rule yields a sentence for each fault. ``problems`` asks all of them; ``tests/infra/test_seeded_faults.py`` shows
that each finds what it is for.
"""

import fnmatch
import json
import re
from collections.abc import Callable, Iterator

from stacks import of_type

RUNTIMES = {"python3.12", "python3.13"}
"""Runtimes of Lambda on Amazon Linux 2023, which the packages are checked against, with years to live."""

QUEUES = "AWS::SQS::Queue"
SQS_NEEDS = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""What Lambda needs of a function's role to read a queue for it."""

LOGS_NEED = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""What Lambda needs of a function's role to write down what it says."""
REPLICATION_NEEDS = {
    "s3:GetReplicationConfiguration",
    "s3:ListBucket",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
    "s3:ReplicateTags",
}
"""What S3 needs of a role to replicate a bucket."""

SELDOM = {("SweepRole", "ResultsTable"): {"dynamodb:GetItem"}}
"""What our functions need so seldom that no flow on a stack comes to it.

The sweep asks the ledger of results about an object beside an image's variants, once that is as old as no upload gets.
"""

LOCKED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
READ_METHODS = {"GET", "HEAD", "OPTIONS"}
EDGE_FUNCTION = re.compile(r"arn:aws[a-z-]*:lambda:us-east-1:\d{12}:function:[A-Za-z0-9_-]+:\d+")

Resources = dict[str, dict]


def problems(resources: Resources) -> list[str]:
    """Return everything that is wrong with the resources of a stack."""
    return [fault for rule in RULES for fault in rule(resources)]


def statements(document: dict) -> list[dict]:
    """Return the statements of a policy, also if there is only one."""
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def as_list(value: object) -> list:
    """Return a value that may be one or several as several."""
    return value if isinstance(value, list) else [value]


def policies_of(resources: Resources, role: str) -> dict[str, dict]:
    """Return the documents of a role's inline policies by their names, those that stand apart too."""
    found = {each["PolicyName"]: each["PolicyDocument"] for each in resources[role]["Properties"].get("Policies", [])}
    for properties in of_type(resources, "AWS::IAM::RolePolicy").values():
        if properties["RoleName"] == {"Ref": role}:
            found[properties["PolicyName"]] = properties["PolicyDocument"]
    return found


def role_of(function: dict) -> str:
    """Return the logical id of a function's role."""
    return function["Role"]["Fn::GetAtt"][0]


def target(value: object) -> str | None:
    """Return which resource of the stack a ``Ref`` or ``Fn::GetAtt`` means."""
    if isinstance(value, dict):
        return value.get("Ref") or (value.get("Fn::GetAtt") or [None])[0]
    return None


def buckets_are_locked(resources: Resources) -> Iterator[str]:
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        block = bucket.get("PublicAccessBlockConfiguration", {})
        yield from (f"{name} lacks {each}" for each in LOCKED if block.get(each) is not True)


def topics_take_what_is_published(resources: Resources) -> Iterator[str]:
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        for each in bucket.get("NotificationConfiguration", {}).get("TopicConfigurations", []):
            topic = target(each["Topic"])
            allowing = [
                key
                for key, policy in of_type(resources, "AWS::SNS::TopicPolicy").items()
                if topic in map(target, policy["Topics"]) and _allows(policy, "s3.amazonaws.com", "sns:Publish")
            ]
            if not allowing:
                yield f"{topic} lets no bucket publish, so {name} cannot be made"
            elif not set(allowing) & set(as_list(resources[name].get("DependsOn", []))):
                yield f"{name} does not wait for {allowing[0]}, and S3 tries the topic at once"


def queues_take_what_is_sent(resources: Resources) -> Iterator[str]:
    for name, subscription in of_type(resources, "AWS::SNS::Subscription").items():
        if subscription["Protocol"] != "sqs":
            continue
        queue, topic = target(subscription["Endpoint"]), subscription["TopicArn"]
        allowing = {
            key: condition
            for key, policy in of_type(resources, "AWS::SQS::QueuePolicy").items()
            if queue in map(target, policy["Queues"])
            for condition in _allows(policy, "sns.amazonaws.com", "sqs:SendMessage")
        }
        if not allowing:
            yield f"{queue} takes nothing from {name}"
        elif not any(topic in condition.get("ArnEquals", {}).values() for condition in allowing.values()):
            yield f"{queue} takes messages from any topic"
        elif not allowing.keys() & set(as_list(resources[name].get("DependsOn", []))):
            yield f"{name} may send before {queue} takes it"


def topics_have_readers(resources: Resources) -> Iterator[str]:
    subscribed = {target(each["TopicArn"]) for each in of_type(resources, "AWS::SNS::Subscription").values()}
    for name, topic in of_type(resources, "AWS::SNS::Topic").items():
        if name not in subscribed and not topic.get("Subscription"):
            yield f"nobody listens to {name}"


def event_sources_can_work(resources: Resources) -> Iterator[str]:
    functions = of_type(resources, "AWS::Lambda::Function")
    for name, mapping in of_type(resources, "AWS::Lambda::EventSourceMapping").items():
        queue, function = target(mapping["EventSourceArn"]), functions[target(mapping["FunctionName"])]
        properties = resources[queue]["Properties"]
        if properties["VisibilityTimeout"] < 6 * function["Timeout"]:
            yield f"{queue} shows a message again within 6 timeouts of its function"
        allowed = set()
        for document in policies_of(resources, role_of(function)).values():
            for statement in statements(document):
                if target(statement["Resource"]) == queue:
                    allowed |= set(as_list(statement["Action"]))
        if not allowed >= SQS_NEEDS:
            yield f"{role_of(function)} may not {sorted(SQS_NEEDS - allowed)} on {queue}"
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name} repeats whole batches"
        if "RedrivePolicy" not in properties:
            yield f"{queue} tries for ever"


def functions_can_run(resources: Resources) -> Iterator[str]:
    roles = []
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        if function["Runtime"] not in RUNTIMES:
            yield f"{name} has the runtime {function['Runtime']}"
        roles.append(role_of(function))
        if "LogGroup" not in function.get("LoggingConfig", {}) and not name.startswith("Edge"):
            yield f"{name} logs where nothing is ever removed"
    yield from (f"{role} serves several functions" for role in set(roles) if roles.count(role) > 1)


def functions_can_write_their_logs(resources: Resources) -> Iterator[str]:
    for function in of_type(resources, "AWS::Lambda::Function").values():
        group = target(function.get("LoggingConfig", {}).get("LogGroup"))
        allowed = {
            action
            for document in policies_of(resources, role_of(function)).values()
            for statement in statements(document)
            for action in as_list(statement["Action"])
            if group is not None and target(statement["Resource"]) == group
        }
        if group is not None and not allowed >= LOGS_NEED:
            yield f"{role_of(function)} may not {sorted(LOGS_NEED - allowed)} on {group}"


def routes_lead_to_functions(resources: Resources) -> Iterator[str]:
    integrations = of_type(resources, "AWS::ApiGatewayV2::Integration")
    functions = of_type(resources, "AWS::Lambda::Function")
    permitted = {
        target(each["FunctionName"])
        for each in of_type(resources, "AWS::Lambda::Permission").values()
        if each["Principal"] == "apigateway.amazonaws.com" and "SourceArn" in each
    }
    for name, route in of_type(resources, "AWS::ApiGatewayV2::Route").items():
        integration = re.fullmatch(r"integrations/\$\{(\w+)\}", route.get("Target", {}).get("Fn::Sub", ""))
        if integration is None or integration[1] not in integrations:
            yield f"{name} leads nowhere"
            continue
        function = target(integrations[integration[1]]["IntegrationUri"])
        if function not in functions:
            yield f"{integration[1]} leads to no function"
        elif function not in permitted:
            yield f"API Gateway may not invoke {function}"
    stages = of_type(resources, "AWS::ApiGatewayV2::Stage")
    for name, stage in stages.items():
        settings = stage.get("DefaultRouteSettings", {})
        if not {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= settings.keys():
            yield f"{name} lets any number of requests through"


def pages_may_send_where_their_tickets_lead(resources: Resources) -> Iterator[str]:
    """Pages are of the API's host and send to the bucket's: unless that says they may, browsers let nothing back."""
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        if "NotificationConfiguration" not in bucket:
            continue
        rules = bucket.get("CorsConfiguration", {}).get("CorsRules", [])
        putting = [origin for rule in rules if "PUT" in rule["AllowedMethods"] for origin in rule["AllowedOrigins"]]
        apis = of_type(resources, "AWS::ApiGatewayV2::Api")
        if not any({"Fn::GetAtt": [api, "ApiEndpoint"]} in putting for api in apis):
            yield f"pages of the stack's own may not put into {name}"


def replication_can_work(resources: Resources) -> Iterator[str]:
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        role = target(bucket.get("ReplicationConfiguration", {}).get("Role"))
        if role is None:
            continue
        allowed = {
            action
            for document in policies_of(resources, role).values()
            for statement in statements(document)
            for action in as_list(statement["Action"])
        }
        if not allowed >= REPLICATION_NEEDS:
            yield f"{role} may not {sorted(REPLICATION_NEEDS - allowed)} for {name}"


def readers_are_told_what_is_not_there(resources: Resources) -> Iterator[str]:
    """Of an object that is not there S3 says 403, and not 404, to whoever may not list its bucket."""
    for role in of_type(resources, "AWS::IAM::Role"):
        for bucket in of_type(resources, "AWS::S3::Bucket"):
            inside = _allowed(resources, role, lambda each, bucket=bucket: f"${{{bucket}.Arn}}/" in json.dumps(each))
            itself = _allowed(resources, role, lambda each, bucket=bucket: target(each) == bucket)
            if "s3:GetObject" in inside and "s3:ListBucket" not in itself:
                yield f"{role} cannot tell what is not in {bucket} from what it may not read"


def results_are_tagged(resources: Resources) -> Iterator[str]:
    """What a bucket removes by a tag is put with it, and for that S3 asks for a permission more."""
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        if not any("TagFilters" in each for each in bucket.get("LifecycleConfiguration", {}).get("Rules", [])):
            continue
        made = {"Fn::Sub": f"${{{name}.Arn}}/i/*"}
        for role in of_type(resources, "AWS::IAM::Role"):
            allowed = _allowed(resources, role, lambda resource, made=made: resource == made)
            if "s3:PutObject" in allowed and "s3:PutObjectTagging" not in allowed:
                yield f"{role} may put into {name} and not say what the bucket's rule goes by"


def what_is_seldom_done_is_allowed(resources: Resources) -> Iterator[str]:
    for (role, resource), needed in SELDOM.items():
        if role not in resources:
            continue  # one of the templates beside it
        missing = needed - _allowed(resources, role, lambda each, resource=resource: target(each) == resource)
        if missing:
            yield f"{role} may not {sorted(missing)} on {resource}"


def _allowed(resources: Resources, role: str, is_meant: Callable[[object], bool]) -> set[str]:
    """Return the actions that a role is allowed on a resource."""
    return {
        action
        for document in policies_of(resources, role).values()
        for statement in statements(document)
        if any(is_meant(each) for each in as_list(statement["Resource"]))
        for action in as_list(statement["Action"])
    }


def permissions_are_named(resources: Resources) -> Iterator[str]:
    for role in of_type(resources, "AWS::IAM::Role"):
        properties = resources[role]["Properties"]
        if properties.get("ManagedPolicyArns"):
            yield f"{role} has policies that are somebody else's"
        for policy, document in policies_of(resources, role).items():
            for statement in statements(document):
                if statement["Effect"] != "Allow":
                    yield f"{role} {policy} denies; what is not allowed is denied anyway"
                for action in as_list(statement["Action"]):
                    if "*" in action:
                        yield f"{role} {policy} allows {action}"
                for resource in as_list(statement["Resource"]):
                    if not _is_narrow(resource):
                        yield f"{role} {policy} is about {json.dumps(resource)}"


def _is_narrow(resource: object) -> bool:
    """Tell whether a resource of a policy is one resource of this stack, or what lies under one of its prefixes.

    A ``*`` may only be all of the last part of a path in a bucket that is named, or be what Lambda@Edge cannot know.
    """
    if isinstance(resource, dict) and ("Fn::GetAtt" in resource or "Ref" in resource):
        return True
    text = resource["Fn::Sub"] if isinstance(resource, dict) else str(resource)
    if "log-group:/aws/lambda/us-east-1." in text:
        return True
    named, star, rest = text.partition("*")
    return "${" in named and rest == "" and (not star or named.endswith("/"))


def distributions_are_whole(resources: Resources) -> Iterator[str]:  # noqa: C901, PLR0912 # a list of rules
    for name, distribution in of_type(resources, "AWS::CloudFront::Distribution").items():
        config = distribution["DistributionConfig"]
        origins = {each["Id"]: each for each in config["Origins"]}
        groups = {each["Id"]: each for each in config.get("OriginGroups", {}).get("Items", [])}
        for group in groups.values():
            for member in group["Members"]["Items"]:
                if member["OriginId"] not in origins:
                    yield f"{name}: the group {group['Id']} has an unknown member"
        for each in origins.values():
            control = resources.get(target(each.get("OriginAccessControlId")))
            if control is None:
                yield f"{name}: nobody signs for the origin {each['Id']}"
                continue
            kind = control["Properties"]["OriginAccessControlConfig"]["OriginAccessControlOriginType"]
            if kind == "s3" and each.get("S3OriginConfig") != {"OriginAccessIdentity": ""}:
                yield f"{name}: the origin {each['Id']} is signed for and is no S3 origin"
            if kind == "lambda" and each.get("CustomOriginConfig", {}).get("OriginProtocolPolicy") != "https-only":
                yield f"{name}: the url of a function answers https only, and {each['Id']} asks otherwise"
        behaviours = [config["DefaultCacheBehavior"], *config.get("CacheBehaviors", [])]
        for each in behaviours:
            where = f"{name} {each.get('PathPattern', 'default')}"
            if each["TargetOriginId"] not in origins.keys() | groups.keys():
                yield f"{where}: unknown origin {each['TargetOriginId']}"
            if each["TargetOriginId"] in groups and not set(each["AllowedMethods"]) <= READ_METHODS:
                yield f"{where}: a group of origins takes no writes"
            if "ForwardedValues" in each or "CachePolicyId" not in each:
                yield f"{where}: no cache policy"
            for function in each.get("LambdaFunctionAssociations", []):
                if not EDGE_FUNCTION.fullmatch(str(function["LambdaFunctionARN"])):
                    yield f"{where}: {function['LambdaFunctionARN']} is no numbered version in us-east-1"
        if config.get("Aliases") and "AcmCertificateArn" not in config.get("ViewerCertificate", {}):
            yield f"{name} has a name and no certificate"
        for each in config.get("CustomErrorResponses", []):
            if ("ResponsePagePath" in each) != ("ResponseCode" in each):
                yield f"{name}: an error page without a code"
            if "ResponsePagePath" in each and not _serves(behaviours, each["ResponsePagePath"]):
                yield f"{name}: {each['ResponsePagePath']} is under no behaviour of its own"
    for name, policy in of_type(resources, "AWS::CloudFront::CachePolicy").items():
        config = policy["CachePolicyConfig"]
        if not config["MinTTL"] <= config["DefaultTTL"] <= config["MaxTTL"]:
            yield f"{name}: lifetimes are not in order"


def groups_fail_over(resources: Resources) -> Iterator[str]:
    for name, distribution in of_type(resources, "AWS::CloudFront::Distribution").items():
        config = distribution["DistributionConfig"]
        functions = {each["Id"] for each in config["Origins"] if "CustomOriginConfig" in each}
        groups = config.get("OriginGroups", {"Quantity": 0, "Items": []})
        if groups["Quantity"] != len(groups["Items"]):
            yield f"{name}: {len(groups['Items'])} groups of origins, and it says {groups['Quantity']}"
        for group in groups["Items"]:
            members = [each["OriginId"] for each in group["Members"]["Items"]]
            statuses = group["FailoverCriteria"]["StatusCodes"]
            if len(members) != 2 or group["Members"]["Quantity"] != 2:
                yield f"{name}: the group {group['Id']} has {len(members)} members; CloudFront takes two"
            if statuses["Quantity"] != len(statuses["Items"]):
                yield f"{name}: the group {group['Id']} miscounts its statuses"
            if functions & set(members) and set(statuses["Items"]) != {403, 404}:
                yield f"{name}: {group['Id']} makes pictures when the bucket is in trouble, or not when there are none"
            if functions & set(members[:1]):
                yield f"{name}: {group['Id']} has pictures made before it looks whether they are there"


def behaviours_are_reached(resources: Resources) -> Iterator[str]:
    for name, distribution in of_type(resources, "AWS::CloudFront::Distribution").items():
        patterns = [each["PathPattern"] for each in distribution["DistributionConfig"].get("CacheBehaviors", [])]
        for at, pattern in enumerate(patterns):
            before = [each for each in patterns[:at] if fnmatch.fnmatchcase(pattern, each)]
            yield from (f"{name}: {pattern} is never reached behind {each}" for each in before)
            if "/t/" in pattern and any("/t/" not in each for each in patterns[:at]):
                yield f"{name}: {pattern} comes after what is for variants"


def urls_let_their_distribution_in_and_nobody_else(resources: Resources) -> Iterator[str]:
    permissions = of_type(resources, "AWS::Lambda::Permission").values()
    for name, url in of_type(resources, "AWS::Lambda::Url").items():
        function = target(url["TargetFunctionArn"])
        if url["AuthType"] != "AWS_IAM":
            yield f"{name} is for everybody"
        mine = [each for each in permissions if target(each["FunctionName"]) == function]
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            if action not in {each["Action"] for each in mine}:
                yield f"nobody may {action} {function}"
        for each in mine:
            by = json.dumps(each.get("SourceArn", ""))
            if each["Principal"] != "cloudfront.amazonaws.com" or ":distribution/${CloudFrontDistribution}" not in by:
                yield f"{function} may be invoked by others than its distribution"
        for distribution in of_type(resources, "AWS::CloudFront::Distribution").values():
            for origin in distribution["DistributionConfig"]["Origins"]:
                waits = origin.get("CustomOriginConfig", {}).get("OriginReadTimeout")
                if waits is not None and resources[function]["Properties"]["Timeout"] >= waits:
                    yield f"{function} may take longer than CloudFront waits"


def origins_are_told_no_names_but_their_own(resources: Resources) -> Iterator[str]:
    for name, policy in of_type(resources, "AWS::CloudFront::OriginRequestPolicy").items():
        headers = policy["OriginRequestPolicyConfig"]["HeadersConfig"]
        named = {each.lower() for each in headers.get("Headers", [])}
        if headers["HeaderBehavior"] != "whitelist" or named & {"host", "authorization"}:
            yield f"{name} forwards what CloudFront's own signature needs for itself"


def edge_functions_have_their_store(resources: Resources) -> Iterator[str]:
    for name, function in of_type(resources, "AWS::CloudFront::Function").items():
        config = function["FunctionConfig"]
        if config["Runtime"] != "cloudfront-js-2.0":
            yield f"{name} runs on {config['Runtime']}, which has no modules"
        stores = [target(each["KeyValueStoreARN"]) for each in config.get("KeyValueStoreAssociations", [])]
        if (function["FunctionCode"] == "transformation_request.js") != (stores == ["EdgeSecrets"]):
            yield f"{name} has the stores {stores}"


def who_waits_for_a_function_waits_longer(resources: Resources) -> Iterator[str]:
    functions = of_type(resources, "AWS::Lambda::Function")
    for name, function in functions.items():
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            other = functions.get(target(value)) if variable.endswith("_FUNCTION") else None
            if other is not None and other["Timeout"] >= function["Timeout"]:
                yield f"{name} may end before {target(value)} has answered it"


def _serves(behaviours: list[dict], path: str) -> bool:
    patterns = [each["PathPattern"] for each in behaviours if "PathPattern" in each]
    return any(pattern.endswith("*") and path.startswith(pattern.rstrip("*")) for pattern in patterns)


def global_names_do_not_collide(resources: Resources) -> Iterator[str]:
    """Say which names a second stack, in this region or another one, could not have."""
    kinds = {
        "AWS::CloudFront::OriginAccessControl": ("OriginAccessControlConfig", "Name"),
        "AWS::CloudFront::CachePolicy": ("CachePolicyConfig", "Name"),
        "AWS::CloudFront::ResponseHeadersPolicy": ("ResponseHeadersPolicyConfig", "Name"),
        "AWS::CloudFront::Function": ("Name",),
        "AWS::CloudFront::KeyValueStore": ("Name",),
        "AWS::CloudFront::OriginRequestPolicy": ("OriginRequestPolicyConfig", "Name"),
    }
    for kind, path in kinds.items():
        taken = set()
        for name, properties in of_type(resources, kind).items():
            value = properties
            for part in path:
                value = value[part]
            text = value.get("Fn::Sub", "") if isinstance(value, dict) else str(value)
            if "${AWS::StackName}" not in text or "${AWS::Region}" not in text:
                yield f"{name} is called {text} in every stack"
            if text in taken:
                yield f"{name} has another one's name"
            taken.add(text)
    physical = {
        "AWS::S3::Bucket": "BucketName",
        "AWS::DynamoDB::Table": "TableName",
        QUEUES: "QueueName",
        "AWS::SNS::Topic": "TopicName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::IAM::Role": "RoleName",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
    }
    for kind, prop in physical.items():
        yield from (f"{name} has a fixed name" for name, each in of_type(resources, kind).items() if prop in each)


def what_is_kept_is_kept_when_replaced(resources: Resources) -> Iterator[str]:
    for name, resource in resources.items():
        kept = resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain"
        if resource["Type"] in {"AWS::S3::Bucket", "AWS::DynamoDB::Table"} and not kept:
            yield f"{name} goes with the stack, pictures and all"


def no_secret_is_in_it(resources: Resources) -> Iterator[str]:
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        for variable in function.get("Environment", {}).get("Variables", {}):
            if re.search(r"SECRET(?!S_(TABLE|FUNCTION|STORE))|PASSWORD|TOKEN|KEY(?!S_TABLE)", variable):
                yield f"{name} is given a secret in {variable}"


def _allows(policy: dict, service: str, action: str) -> list[dict]:
    """Return the conditions under which a resource's policy lets a service do something."""
    return [
        each.get("Condition", {})
        for each in statements(policy["PolicyDocument"])
        if each["Effect"] == "Allow"
        and each["Principal"] == {"Service": service}
        and action in as_list(each["Action"])
        and each.get("Condition")
    ]


RULES = (
    buckets_are_locked,
    topics_take_what_is_published,
    queues_take_what_is_sent,
    topics_have_readers,
    event_sources_can_work,
    functions_can_run,
    functions_can_write_their_logs,
    replication_can_work,
    readers_are_told_what_is_not_there,
    results_are_tagged,
    what_is_seldom_done_is_allowed,
    routes_lead_to_functions,
    pages_may_send_where_their_tickets_lead,
    permissions_are_named,
    distributions_are_whole,
    groups_fail_over,
    behaviours_are_reached,
    urls_let_their_distribution_in_and_nobody_else,
    origins_are_told_no_names_but_their_own,
    edge_functions_have_their_store,
    who_waits_for_a_function_waits_longer,
    global_names_do_not_collide,
    what_is_kept_is_kept_when_replaced,
    no_secret_is_in_it,
)
