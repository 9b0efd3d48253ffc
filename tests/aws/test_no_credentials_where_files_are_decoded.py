"""What decodes strangers' files has nothing of the function's role: in its environment, open files, or any file.

Looked at from outside, on the processes of the deployed function. That it cannot take them from the function's own
environment, even where the kernel has hardly any layer of the jail, is tried from inside in
``tests/unit/transform/test_jail.py``.
"""

from pathlib import Path

import pytest

import pictures
import processes
from darkroom.transform import worker


def environment(process):
    try:
        read = Path(f"/proc/{process.pid}/environ").read_bytes()
    except PermissionError:
        pytest.skip("to look into the function takes root: it hides itself from its own user")
    return dict(each.split("=", 1) for each in read.decode().split("\0") if "=" in each)


def test_the_decoding_process_of_a_function_knows_nothing_of_its_role(by_hand):
    _, arrival = by_hand.posted(pictures.jpeg(300, 200))
    assert by_hand.hands.give(arrival) == []
    name = by_hand.deployed.outputs["TransformFunctionName"]
    family = processes.process(by_hand.deployed.emulator.process.pid).family()
    zygotes = [each for each in family if worker.__name__ in each.command]
    functions = [each for each in family if environment(each).get("AWS_LAMBDA_FUNCTION_NAME") == name]
    assert functions
    assert zygotes
    given = environment(functions[0])
    credentials = {given[each] for each in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")}
    assert all(len(each) > 10 for each in credentials)

    decoding = [each for zygote in zygotes for each in zygote.family()]
    assert len(decoding) > len(zygotes), "no worker waits for the next picture"
    for each in decoding:
        # The C library takes its tunables apart where they stand.
        named = {name for name in environment(each) if not name.startswith("glibc.malloc.")}
        assert named <= {"PYTHONPATH", "GLIBC_TUNABLES", "VIPS_DISC_THRESHOLD"}
        opened = {str(one.readlink()) for one in Path(f"/proc/{each.pid}/fd").iterdir()}
        assert {one for one in opened if not one.startswith(("socket:", "pipe:"))} <= {"/dev/null"}

    written = [path for path in by_hand.deployed.emulator.folder.joinpath("tmp").rglob("*") if path.is_file()]
    assert any(path.name == "object_created.py" for path in written), "this is not where functions write"
    secret = [credential.encode() for credential in credentials]
    assert not [path for path in written if any(each in path.read_bytes() for each in secret)]
