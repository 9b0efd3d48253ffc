"""What goes wrong is said in a sentence with an exit code, never in a traceback; and help loads nothing slow."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from darkroom.cli import command_line
from scripted import Answer, scripted
from servers import free_port


@pytest.mark.parametrize(
    "arguments",
    [
        ["put"],
        ["put", "x", "--jobs", "0"],
        ["search", "--limit", "0"],
        ["search", "--server", "localhost:8000"],
        ["search", "--key", "no key"],
        ["tag", "x"],
        ["get", "x", "--original", "--variant", "large"],
        ["keys", "add", "x", "--scope", "root"],
        ["serve", "--port", "70000"],
        ["develop"],
    ],
)
def test_wrong_usage_is_told_with_exit_code_2(arguments):
    ran = CliRunner().invoke(command_line(), arguments)
    assert ran.exit_code == 2
    assert "Usage:" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [["search"], ["rm", "x", "--yes"], ["keys", "list"]],
)
def test_nobody_there_is_said_with_the_address(arguments):
    url = f"http://127.0.0.1:{free_port()}"
    ran = CliRunner().invoke(command_line(), [*arguments, "--server", url])
    assert ran.exit_code == 1
    assert ran.stderr.startswith(f"darkroom: cannot reach {url}")


def test_a_server_of_something_else_is_said_to_be_one():
    with scripted(Answer(200, b"<html>")) as script:
        ran = CliRunner().invoke(command_line(), ["search", "--server", script.url])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("darkroom: http://127.0.0.1")


def test_a_wrong_parameter_is_said_in_the_servers_words(invoke):
    ran = invoke("search", "***")
    assert ran.code == 1
    assert "q has no word in it" in ran.err


def test_a_reader_who_has_seen_enough_ends_it_quietly(start, one_image):
    process = start("search", "--all", "--json")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=30)
    assert err == b""


def test_a_terminal_of_few_letters_still_gets_its_lines(start, upload):
    process = start("show", upload("日本.jpg"), environment={"PYTHONIOENCODING": "latin-1"})
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rb"\u65e5\u672c.jpg" in out


def test_help_loads_nothing_slow():
    code = (
        "import sys\n"
        "from darkroom.cli import command_line\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(command_line(), ['--help']).exit_code == 0\n"
        "print(*sorted({'httpx', 'rich', 'pydantic', 'fastapi', 'granian'} & sys.modules.keys()))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_the_program_is_also_a_module():
    ran = subprocess.run([sys.executable, "-m", "darkroom", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: darkroom" in ran.stdout
    assert "Exit codes" in ran.stdout
