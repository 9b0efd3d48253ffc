"""Each permission of the stack's roles is taken away, and somebody notices; so none is there without need.

The flows, and which of them needs what, are in ``tests/support/permissions.py`` and beside it. The emulator has
the rules of ``shimmed.py``, of which these need the one that a policy may name a key value store.
"""

from contextlib import ExitStack

import pytest

import contract
import permissions
from between import between
from deployed import deploying
from flow_stage import Stage, each_of, lacking, permission_of
from hands import Hands
from permissions import FLOWS, NEEDED, PAGE, written
from stacks import IIIF, of_type, resolved

BY_A_FLOW = {
    policy: {one: by for one, by in needed.items() if not isinstance(by, str)} for policy, needed in NEEDED.items()
}


@pytest.fixture(scope="module", params=["shim"])
def _stage(shimmed_emulator, packages):
    with ExitStack() as leaving:
        table = leaving.enter_context(between(shimmed_emulator.url))
        deployed = leaving.enter_context(deploying(shimmed_emulator, packages, Originals="archive", IiifOwners="local"))
        deployed.make_defaults()
        deployed.make_first_secret()
        # It has to run once: the emulator may still be unpacking what it is then told to start anew.
        deployed.invoke("RenderFunctionName", {"headers": {}, "requestContext": {"http": {"method": "GET"}}})
        nothing = {"rawPath": "/iiif/", "headers": {}, "requestContext": {"http": {"method": "GET"}}}
        deployed.invoke("IiifFunctionName", nothing)
        through = {"AWS_ENDPOINT_URL_DYNAMODB": table.url}
        leaving.enter_context(deployed.configured("TransformFunction", **through))
        leaving.enter_context(deployed.configured("IiifFunction", **through))
        leaving.enter_context(deployed.configured("RenderFunction", DARKROOM_AVIF_BUDGET_SECONDS="0", **through))
        client = leaving.enter_context(deployed.client(deployed.new_key()))
        stage = Stage(deployed, client, Hands(deployed), table)
        stage.leave_purges_alone()
        yield stage


@pytest.fixture
def stage(_stage):
    _stage.hands.clear()
    yield _stage
    _stage.table.heal()


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_with_all_permissions_every_flow_works(stage, flow):
    flow(stage)
    assert stage.table.failed == []


def ends_without(stage, flow, role, policy, permission=None):
    try:
        with stage.without(role, policy, permission), pytest.raises((AssertionError, stage.refused)):
            flow(stage)
    finally:
        stage.hands.clear()
        stage.table.failed.clear()
        if role == "SweepRole":
            stage.sweeps()  # what this one has left to do is none of the next one's


def slow(role, policy):
    """A sweep without a permission fails as a whole, and the function starts anew: that takes seconds each time."""
    return role == "SweepRole" and policy != "CountEvents"


@pytest.mark.parametrize(
    ("role", "policy"),
    [pytest.param(*each, marks=[pytest.mark.soak] * slow(*each)) for each in NEEDED if BY_A_FLOW[each]],
)
def test_without_a_policy_a_flow_ends(stage, role, policy):
    ends_without(stage, next(iter(BY_A_FLOW[role, policy].values())), role, policy)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("role", "policy", "permission"), [(*each, one) for each, needed in BY_A_FLOW.items() for one in needed]
)
def test_without_a_single_permission_a_flow_ends(stage, role, policy, permission):
    ends_without(stage, BY_A_FLOW[role, policy][permission], role, policy, permission)


def test_every_permission_of_the_template_is_in_the_table_and_no_other():
    resources = resolved(IIIF)
    found = {
        (role, each["PolicyName"]): {
            permission_of(each["PolicyDocument"]["Statement"], one): None
            for one in each_of(each["PolicyDocument"]["Statement"])
        }
        for role, properties in of_type(resources, "AWS::IAM::Role").items()
        for each in properties["Policies"]
    }
    assert {key: set(needed) for key, needed in NEEDED.items()} == {key: set(of) for key, of in found.items()}


def test_where_no_flow_ends_a_rule_tells_what_is_missing():
    rules = {rule.__name__: rule for rule in contract.RULES}
    by_rules = [(*each, one, by) for each, needed in NEEDED.items() for one, by in needed.items() if by in rules]
    assert by_rules
    for role, policy, permission, by in by_rules:
        resources = resolved(IIIF)
        for each in resources[role]["Properties"]["Policies"]:
            if each["PolicyName"] == policy:
                each["PolicyDocument"] = lacking(each["PolicyDocument"], permission)
        assert any(role in told for told in rules[by](resources)), (role, policy, permission)


def test_every_permission_has_its_flow_or_its_rule():
    named = {by for needed in NEEDED.values() for by in needed.values() if isinstance(by, str)}
    assert named - {rule.__name__ for rule in contract.RULES} == {permissions.OF_THE_SWEEP}


def test_the_table_in_the_documents_is_this_one():
    assert PAGE.read_text() == written(PAGE.read_text()), "run `make docs`"
