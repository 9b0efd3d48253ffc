from pathlib import Path

import pytest

from darkroom import settings
from darkroom.errors import BadConfiguration
from darkroom.model import OriginalPolicy

ROOT = Path(__file__).parent.parent.parent


def test_the_documented_table_is_the_code_s():
    assert (ROOT / "docs" / "settings.md").read_text() == settings.table(), "stale: run `make docs`"


def test_settings_come_from_the_environment_and_the_command_line_wins():
    read = settings.from_mapping({"DARKROOM_PORT": "9000", "DARKROOM_ORIGINALS": "keep", "HOME": "/"}, port=9001)
    assert (read.port, read.originals, read.host) == (9001, OriginalPolicy.KEEP, "127.0.0.1")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"DARKROOM_PORT": "eighty"}, "DARKROOM_PORT"),
        ({"DARKROOM_PORT": "70000"}, "DARKROOM_PORT"),
        ({"DARKROOM_TICKET_SECONDS": "901"}, "DARKROOM_TICKET_SECONDS"),
        ({"DARKROOM_PRT": "80"}, "DARKROOM_PRT"),
        ({"DARKROOM_KEY_RATE": "0.0001"}, "DARKROOM_KEY_RATE"),
        ({"DARKROOM_KEY_RATE": "nan"}, "DARKROOM_KEY_RATE"),
        ({"DARKROOM_OWNER_BYTES": "-1"}, "DARKROOM_OWNER_BYTES"),
        ({"DARKROOM_ASSETS_URL": "assets"}, "DARKROOM_ASSETS_URL"),
        ({"DARKROOM_ALLOWED_ORIGINS": "https://a.example/path"}, "DARKROOM_ALLOWED_ORIGINS"),
        ({"DARKROOM_KEYS": "false", "DARKROOM_HOST": "0.0.0.0"}, "DARKROOM_HOST"),
        ({"DARKROOM_PURGE_URL": "http://127.0.0.1/i/"}, "DARKROOM_PURGE_URL"),
        ({"DARKROOM_PURGE_URL": "{path}"}, "DARKROOM_PURGE_URL"),
        ({"DARKROOM_PURGE_COMMAND": "purge 'it"}, "DARKROOM_PURGE_COMMAND"),
        ({"DARKROOM_PURGE_URL": "http://127.0.0.1{path}", "DARKROOM_PURGE_COMMAND": "purge"}, "DARKROOM_PURGE_COMMAND"),
    ],
)
def test_a_wrong_or_unknown_variable_stops_the_start_and_is_named(environment, named):
    with pytest.raises(BadConfiguration, match=named):
        settings.from_mapping(environment)


@pytest.mark.parametrize("url", ["http://127.0.0.1:6081{path}", "https://cache.example/purge/i/{id}/*?soft=1"])
def test_an_edge_s_address_says_what_to_purge(url):
    assert settings.from_mapping({"DARKROOM_PURGE_URL": url}).purge_url == url


def test_what_the_client_reads_is_no_unknown_setting():
    assert settings.from_mapping({"DARKROOM_SERVER": "http://x", "DARKROOM_KEY": "k"}).port == 8000


def test_a_child_reads_the_same_settings():
    given = settings.from_mapping(
        {"DARKROOM_ALLOWED_ORIGINS": "https://a.example, https://b.example/", "DARKROOM_RECIPES": "a b.toml"},
        keys=False,
    )
    assert given.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.from_mapping(settings.environment_of(given)) == given


def test_addresses_are_made_of_settings_never_of_a_request():
    assert settings.from_mapping({"DARKROOM_HOST": "::1", "DARKROOM_PORT": "81"}).base_url == "http://[::1]:81"
    read = settings.from_mapping(
        {"DARKROOM_PUBLIC_URL": "https://api.example/", "DARKROOM_ASSETS_URL": "https://cdn.example"}
    )
    assert (read.base_url, read.delivery_url) == ("https://api.example", "https://cdn.example")
    assert settings.from_mapping({"DARKROOM_PUBLIC_URL": "https://api.example"}).delivery_url == "https://api.example"
