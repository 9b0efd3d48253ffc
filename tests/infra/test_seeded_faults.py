"""The rules of contract.py find what they are for: each fault is put into the template, and told."""

import copy

import pytest

from contract import problems
from stacks import EVERYTHING, resolved


def distribution(resources):
    return resources["CloudFrontDistribution"]["Properties"]["DistributionConfig"]


def policies(resources, role):
    return resources[role]["Properties"]["Policies"]


def no_topic_policy(resources):
    del resources["ObjectCreatedTopicPolicy"]


def topic_policy_of_anybody(resources):
    del resources["ObjectCreatedTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]["Condition"]


def bucket_before_topic_policy(resources):
    del resources["UploadBucket"]["DependsOn"]


def no_queue_policy(resources):
    del resources["TransformQueuePolicy"]


def queue_of_any_topic(resources):
    statement = resources["TransformQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    statement["Condition"] = {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def subscription_before_queue_policy(resources):
    del resources["ObjectCreatedSubscription"]["DependsOn"]


def nobody_listens(resources):
    del resources["ObjectCreatedSubscription"]


def unknown_origin(resources):
    distribution(resources)["CacheBehaviors"][0]["TargetOriginId"] = "asets"


def unknown_member(resources):
    group(resources, "assets-or-replica")["Members"]["Items"][1]["OriginId"] = "replika"


def group(resources, name):
    (found,) = [each for each in distribution(resources)["OriginGroups"]["Items"] if each["Id"] == name]
    return found


def group_of_three(resources):
    group(resources, "kept-or-made")["Members"]["Items"].append({"OriginId": "replica"})


def groups_miscounted(resources):
    distribution(resources)["OriginGroups"]["Quantity"] = 1


def statuses_miscounted(resources):
    group(resources, "kept-or-made")["FailoverCriteria"]["StatusCodes"]["Quantity"] = 3


def pictures_never_made(resources):
    group(resources, "kept-or-made")["FailoverCriteria"]["StatusCodes"] = {"Quantity": 1, "Items": [404]}


def pictures_made_while_the_bucket_is_in_trouble(resources):
    statuses = {"Quantity": 3, "Items": [403, 404, 503]}
    group(resources, "kept-or-made")["FailoverCriteria"]["StatusCodes"] = statuses


def pictures_made_first(resources):
    group(resources, "kept-or-made")["Members"]["Items"].reverse()


def behaviour_never_reached(resources):
    behaviours = distribution(resources)["CacheBehaviors"]
    behaviours[0], behaviours[1] = behaviours[1], behaviours[0]


def transformations_behind_variants(resources):
    behaviours = distribution(resources)["CacheBehaviors"]
    behaviours[1], behaviours[2] = behaviours[2], behaviours[1]


def function_that_everybody_may_ask(resources):
    resources["RenderUrl"]["Properties"]["AuthType"] = "NONE"


def url_that_nobody_may_ask(resources):
    del resources["RenderUrlPermission"]


def function_that_nobody_may_invoke(resources):
    del resources["RenderPermission"]


def function_that_any_distribution_may_ask(resources):
    del resources["RenderUrlPermission"]["Properties"]["SourceArn"]


def function_that_the_gateway_may_invoke(resources):
    resources["RenderPermission"]["Properties"]["Principal"] = "apigateway.amazonaws.com"


def url_asked_as_a_bucket(resources):
    control = resources["RenderOriginAccessControl"]["Properties"]["OriginAccessControlConfig"]
    control["OriginAccessControlOriginType"] = "s3"


def url_asked_in_plain_text(resources):
    (origin,) = [each for each in distribution(resources)["Origins"] if each["Id"] == "render"]
    origin["CustomOriginConfig"]["OriginProtocolPolicy"] = "match-viewer"


def origin_that_nobody_signs_for(resources):
    (origin,) = [each for each in distribution(resources)["Origins"] if each["Id"] == "render"]
    del origin["OriginAccessControlId"]


def function_slower_than_its_distribution(resources):
    resources["RenderFunction"]["Properties"]["Timeout"] = 60


def host_of_the_reader_forwarded(resources):
    headers = resources["AskedOriginPolicy"]["Properties"]["OriginRequestPolicyConfig"]["HeadersConfig"]
    headers["Headers"].append("Host")


def everything_forwarded(resources):
    headers = resources["AskedOriginPolicy"]["Properties"]["OriginRequestPolicyConfig"]["HeadersConfig"]
    headers["HeaderBehavior"] = "allViewer"


def function_without_its_store(resources):
    del resources["TransformationRequestFunction"]["Properties"]["FunctionConfig"]["KeyValueStoreAssociations"]


def function_of_the_older_runtime(resources):
    resources["TransformationRequestFunction"]["Properties"]["FunctionConfig"]["Runtime"] = "cloudfront-js-1.0"


def api_that_ends_before_what_it_waits_for(resources):
    resources["SecretsFunction"]["Properties"]["Timeout"] = 60


def store_for_all_stacks(resources):
    resources["EdgeSecrets"]["Properties"]["Name"] = "darkroom"


def request_policy_for_all_stacks(resources):
    resources["AskedOriginPolicy"]["Properties"]["OriginRequestPolicyConfig"]["Name"] = "darkroom"


def lifetimes_out_of_order(resources):
    resources["PicturesCachePolicy"]["Properties"]["CachePolicyConfig"]["MinTTL"] = 90_000


def writes_to_a_group(resources):
    distribution(resources)["CacheBehaviors"][1]["AllowedMethods"] = ["GET", "HEAD", "PUT"]


def name_without_certificate(resources):
    del distribution(resources)["ViewerCertificate"]


def error_page_without_code(resources):
    distribution(resources)["CustomErrorResponses"] = [{"ErrorCode": 403, "ResponsePagePath": "/default/a.jpg"}]


def error_page_from_nowhere(resources):
    page = {"ErrorCode": 403, "ResponseCode": 404, "ResponsePagePath": "/errors/a.jpg"}
    distribution(resources)["CustomErrorResponses"] = [page]


def signed_origin_that_is_no_bucket(resources):
    distribution(resources)["Origins"][0]["S3OriginConfig"] = {}


def latest_at_the_edge(resources):
    association = distribution(resources)["CacheBehaviors"][0]["LambdaFunctionAssociations"][0]
    association["LambdaFunctionARN"] = "arn:aws:lambda:us-east-1:123456789012:function:edge:$LATEST"


def edge_function_of_another_region(resources):
    association = distribution(resources)["CacheBehaviors"][0]["LambdaFunctionAssociations"][0]
    association["LambdaFunctionARN"] = "arn:aws:lambda:eu-west-1:123456789012:function:edge:7"


def message_shown_too_early(resources):
    resources["TransformQueue"]["Properties"]["VisibilityTimeout"] = 300


def role_that_may_not_receive(resources):
    resources["TransformRole"]["Properties"]["Policies"] = [
        each for each in policies(resources, "TransformRole") if each["PolicyName"] != "ReceiveEvents"
    ]


def whole_batches_repeated(resources):
    del resources["TransformFunctionQueue"]["Properties"]["FunctionResponseTypes"]


def no_dead_letters(resources):
    del resources["PurgeQueue"]["Properties"]["RedrivePolicy"]


def unknown_runtime(resources):
    resources["ApiFunction"]["Properties"]["Runtime"] = "python3.99"


def one_role_for_two(resources):
    resources["SweepFunction"]["Properties"]["Role"] = {"Fn::GetAtt": ["TransformRole", "Arn"]}


def half_locked_bucket(resources):
    del resources["AssetsBucket"]["Properties"]["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"]


def name_for_all_stacks(resources):
    resources["CloudFrontOriginAccessControl"]["Properties"]["OriginAccessControlConfig"]["Name"] = "darkroom"


def names_taken_twice(resources):
    headers = resources["NegotiatedHeadersPolicy"]["Properties"]["ResponseHeadersPolicyConfig"]
    headers["Name"] = {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}


def fixed_bucket_name(resources):
    resources["AssetsBucket"]["Properties"]["BucketName"] = "darkroom-assets"


def bucket_that_goes_with_the_stack(resources):
    del resources["AssetsBucket"]["DeletionPolicy"]


def any_resource(resources):
    policies(resources, "ApiRole")[0]["PolicyDocument"]["Statement"]["Resource"] = "*"


def any_bucket(resources):
    document = policies(resources, "ApiRole")[6]["PolicyDocument"]
    document["Statement"]["Resource"] = {"Fn::Sub": "arn:${AWS::Partition}:s3:::${AWS::StackName}*"}


def any_action(resources):
    policies(resources, "ApiRole")[0]["PolicyDocument"]["Statement"]["Action"] = "logs:*"


def managed_policy(resources):
    resources["ApiRole"]["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]


def route_to_nowhere(resources):
    del resources["ApiRoute"]["Properties"]["Target"]


def integration_of_no_function(resources):
    resources["ApiIntegration"]["Properties"]["IntegrationUri"] = {"Fn::GetAtt": ["ApiRole", "Arn"]}


def gateway_that_may_not_invoke(resources):
    del resources["ApiPermission"]


def bucket_that_takes_nothing_from_its_own_pages(resources):
    del resources["UploadBucket"]["Properties"]["CorsConfiguration"]["CorsRules"][0]


def bucket_that_pages_may_only_read(resources):
    resources["UploadBucket"]["Properties"]["CorsConfiguration"]["CorsRules"][0]["AllowedMethods"] = ["GET"]


def no_throttling(resources):
    del resources["ApiStage"]["Properties"]["DefaultRouteSettings"]


def logs_for_ever(resources):
    del resources["ApiFunction"]["Properties"]["LoggingConfig"]


def function_that_cannot_write_its_log(resources):
    del policies(resources, "SweepRole")[0]


def picture_that_is_forbidden_when_it_is_not_there(resources):
    resources["RenderRole"]["Properties"]["Policies"] = [
        each for each in policies(resources, "RenderRole") if each["PolicyName"] != "ListVariants"
    ]


def results_without_their_tag(resources):
    resources["TransformRole"]["Properties"]["Policies"] = [
        each for each in policies(resources, "TransformRole") if each["PolicyName"] != "TagResults"
    ]


def pictures_kept_without_their_tag(resources):
    (one,) = [each for each in policies(resources, "RenderRole") if each["PolicyName"] == "PutResults"]
    one["PolicyDocument"]["Statement"]["Action"] = "s3:PutObject"


def sweep_that_knows_no_results(resources):
    (one,) = [each for each in policies(resources, "SweepRole") if each["PolicyName"] == "ReadResults"]
    one["PolicyDocument"]["Statement"]["Action"].remove("dynamodb:GetItem")


def replication_that_reads_no_versions(resources):
    del resources["ReplicationReads"]


def secret_in_the_template(resources):
    resources["ApiFunction"]["Properties"]["Environment"]["Variables"]["DARKROOM_SIGNING_SECRET"] = "open sesame"


FAULTS = [
    each
    for name, each in list(globals().items())
    if callable(each) and each.__module__ == __name__ and name not in {"distribution", "group", "policies"}
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_told(fault):
    resources = copy.deepcopy(resolved(EVERYTHING))
    fault(resources)
    assert problems(resources)
