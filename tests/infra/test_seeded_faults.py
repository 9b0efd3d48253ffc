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
    distribution(resources)["OriginGroups"]["Items"][0]["Members"]["Items"][1]["OriginId"] = "replika"


def lifetimes_out_of_order(resources):
    resources["PicturesCachePolicy"]["Properties"]["CachePolicyConfig"]["MinTTL"] = 90_000


def writes_to_a_group(resources):
    distribution(resources)["CacheBehaviors"][0]["AllowedMethods"] = ["GET", "HEAD", "PUT"]


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


def no_throttling(resources):
    del resources["ApiStage"]["Properties"]["DefaultRouteSettings"]


def logs_for_ever(resources):
    del resources["ApiFunction"]["Properties"]["LoggingConfig"]


def secret_in_the_template(resources):
    resources["ApiFunction"]["Properties"]["Environment"]["Variables"]["DARKROOM_SIGNING_SECRET"] = "open sesame"


FAULTS = [
    each
    for name, each in list(globals().items())
    if callable(each) and each.__module__ == __name__ and name not in {"distribution", "policies"}
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_told(fault):
    resources = copy.deepcopy(resolved(EVERYTHING))
    fault(resources)
    assert problems(resources)
