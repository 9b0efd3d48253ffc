"""The emulator with four rules of CloudFront put in that it lacks: our reading of AWS's documents, no evidence of AWS.

Runs in `.venv-emulator` in place of ``-m ministack``; what passes with it is labelled ``shim``. The rules:

1. A group of origins asks its second member where the first one's answer has a status of its criteria.
2. An origin that is a Lambda function's url, with an origin access control of type ``lambda``, is asked in CloudFront's
   name: let in when the function's policy allows both ``lambda:InvokeFunctionUrl`` and, through a url,
   ``lambda:InvokeFunction`` to this very distribution.
3. A function of runtime 2.0 may ``import cf from 'cloudfront'``, and read the key value store it is associated with.
4. A request about a key value store is allowed by what a policy says of that store.
"""

import fnmatch
import re
from importlib.metadata import version
from urllib.parse import unquote

from ministack.app import main
from ministack.core import cloudfront_js, iam_actions
from ministack.services import cloudfront, cloudfront_keyvaluestore, lambda_svc

VERSION = "1.5.33"
"""What is replaced below has no promise of staying as it is."""


# ---- 1: groups of origins

plainly_parsed = cloudfront.parse_distribution_dataplane_config


def parsed_with_groups(distribution):
    """Add each group to the origins: behaviours name either."""
    parsed = plainly_parsed(distribution)
    groups = cloudfront._find(cloudfront._dist_config_el(distribution), "OriginGroups")
    for group in children(groups, "Items"):
        statuses = cloudfront._find(cloudfront._find(group, "FailoverCriteria"), "StatusCodes")
        members = [cloudfront._text(each, "OriginId") for each in children(cloudfront._find(group, "Members"), "Items")]
        parsed["origins"][cloudfront._text(group, "Id")] = {
            "members": [parsed["origins"][member] for member in members],
            "statuses": {int(each.text) for each in children(statuses, "Items")},
            "domain_name": "group",
        }
    return parsed


def children(element, name):
    """Return what lies in a list of an element that may not be there."""
    items = None if element is None else cloudfront._find(element, name)
    return [] if items is None else list(items)


plainly_fetched = cloudfront._fetch_from_origin


async def fetched_from_group(origin, *asked):
    """Ask the members of a group; anything else as it is asked anyway, but for functions of rule 2."""
    if "members" in origin:
        first, second = origin["members"]
        try:
            answer = await fetched_from_group(first, *asked)
        except (cloudfront.OriginTimeout, cloudfront.OriginUnreachable):
            answer = None
        if answer is None or answer[0] in origin["statuses"]:
            return await fetched_from_group(second, *asked)
        return answer
    host = cloudfront._registered_function_url(origin)
    control = cloudfront._oacs.get(origin.get("oac_id") or "")
    if host is not None and control is not None and control["OriginAccessControlOriginType"] == "lambda":
        method, uri, _, headers, _, _, client, forwarded, distribution = asked
        sent = cloudfront._origin_request_headers(origin, headers, client, forwarded)
        return await fetched_from_function(host, method, uri, sent, distribution)
    return await plainly_fetched(origin, *asked)


# ---- 2: the url of a function


async def fetched_from_function(host, method, uri, headers, distribution):
    """Invoke a function by its url in CloudFront's name, if its policy says so."""
    url = host.partition(".")[0]
    account, region, name, qualifier, config = lambda_svc.resolve_function_url(url)
    reference = f"{name}:{qualifier}" if qualifier else name
    function = lambda_svc._get_func_record_for_ref_in_scope(reference, account_id=account, region=region)[0]
    known = {"AWS:SourceArn": distribution, "lambda:FunctionUrlAuthType": config["AuthType"]}
    known["lambda:InvokedViaFunctionUrl"] = "true"
    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
        if not any(allows(each, action, known) for each in function["policy"]["Statement"]):
            return 403, "Forbidden", {"content-type": "application/json"}, b'{"Message":"Forbidden"}'
    told = {key.lower(): value for key, value in headers.items()} | {"authorization": "AWS4-HMAC-SHA256 of CloudFront"}
    status, answered, body = await lambda_svc.handle_function_url_request(url, method, uri, told, b"", {})
    return status, "", {key.lower(): value for key, value in answered.items()}, body


def allows(statement, action, known):
    """Tell whether a statement lets CloudFront do this; a condition on what is not ``known`` does not hold."""
    conditions = [pair for each in statement.get("Condition", {}).values() for pair in each.items()]
    return (
        statement["Effect"] == "Allow"
        and statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
        and statement["Action"] == action
        and any(key == "AWS:SourceArn" for key, _ in conditions)
        and all(fnmatch.fnmatchcase(known.get(key, ""), wanted) for key, wanted in conditions)
    )


# ---- 3: the key value store

MODULES = "const _ALLOWED_MODULES = { crypto, querystring, buffer: bufferModule };"
STORE = """
let store = {};
const cf = { kvs: () => ({ get: async (name) => {
  if (!Object.prototype.hasOwnProperty.call(store, name)) throw new Error("KeyNotFound");
  return store[name];
} }) };
const _ALLOWED_MODULES = { crypto, querystring, buffer: bufferModule, cloudfront: cf };
"""
TAKEN = "const { code, event } = req;"


async def run_with_store(arn, event):
    """Run a function, what its key value store holds being at hand."""
    function = cloudfront._functions[arn.rsplit("/", 1)[-1]]
    code = cloudfront.live_function_code(arn)
    store = {}
    for each in function["kvs_arns"]:
        found, error = cloudfront_keyvaluestore._get_store(each)
        store |= {} if error else found["items"]
    asked = {"code": code.decode(), "event": event, "store": store}
    out = await cloudfront.run_offloop(cloudfront_js._pool.call, asked, cloudfront_js._EVAL_TIMEOUT)
    if out["status"] == "error":
        raise cloudfront.CloudFrontFunctionError(out["message"])
    return out["value"]


# ---- 4: whose store

plainly_about = iam_actions.extract_resource_arn


def about(service, method, path, *rest):
    """Return which resource a request is about."""
    store = re.match(r"/key-value-stores/(arn:[^/]+/[^/]+)", unquote(path))
    return store[1] if service == "cloudfront-keyvaluestore" and store else plainly_about(service, method, path, *rest)


def put_in():
    """Put the rules in."""
    script = cloudfront_js._pool.script
    assert script.count(MODULES) == script.count(TAKEN) == 1
    script = script.replace(MODULES, STORE).replace(TAKEN, TAKEN + " store = req.store;")
    cloudfront_js._pool.script = script
    cloudfront._run_function = run_with_store
    iam_actions.extract_resource_arn = about
    cloudfront.parse_distribution_dataplane_config = parsed_with_groups
    cloudfront._fetch_from_origin = fetched_from_group


if __name__ == "__main__":
    assert version("ministack") == VERSION, f"the rules were written for {VERSION}: look at them again"
    put_in()
    main()
