"""Each permission of the stack's roles is taken away, and somebody notices; so none is there without need.

The flows, and which of them needs what, are in ``tests/support/permissions.py``.
"""

from contextlib import ExitStack

import pytest

import contract
import permissions
from between import between
from deployed import deploying
from hands import Hands
from permissions import FLOWS, NEEDED, PAGE, Stage, each_of, permission_of, written
from stacks import of_type, resolved

BY_A_FLOW = {
    policy: {one: by for one, by in needed.items() if not isinstance(by, str)} for policy, needed in NEEDED.items()
}


@pytest.fixture(scope="module")
def _stage(emulator, packages):
    with ExitStack() as leaving:
        table = leaving.enter_context(between(emulator.url))
        deployed = leaving.enter_context(deploying(emulator, packages, Originals="archive"))
        deployed.make_defaults()
        leaving.enter_context(deployed.configured("TransformFunction", AWS_ENDPOINT_URL_DYNAMODB=table.url))
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
    resources = resolved()
    found = {
        (role, each["PolicyName"]): {
            permission_of(each["PolicyDocument"]["Statement"], one): None
            for one in each_of(each["PolicyDocument"]["Statement"])
        }
        for role, properties in of_type(resources, "AWS::IAM::Role").items()
        for each in properties["Policies"]
    }
    assert {key: set(needed) for key, needed in NEEDED.items()} == {key: set(of) for key, of in found.items()}


def test_every_rule_that_is_named_in_place_of_a_flow_is_there():
    named = {by for needed in NEEDED.values() for by in needed.values() if isinstance(by, str)}
    rules = {rule.__name__ for rule in contract.RULES}
    assert named - rules == {permissions.OF_THE_SWEEP, permissions.BY_THE_EDGE, permissions.NOT_YET}
    for (role, policy), needed in NEEDED.items():
        if not rules & {by for by in needed.values() if isinstance(by, str)}:
            continue
        resources = resolved()
        kept = resources[role]["Properties"]["Policies"]
        resources[role]["Properties"]["Policies"] = [each for each in kept if each["PolicyName"] != policy]
        assert contract.problems(resources), (role, policy)


def test_the_table_in_the_documents_is_this_one():
    assert PAGE.read_text() == written(PAGE.read_text()), "run `make docs`"
