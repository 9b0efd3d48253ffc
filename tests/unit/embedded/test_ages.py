"""How long the sweep waits follows from the settings, and is what the documents say."""

from __future__ import annotations

from datetime import timedelta

from darkroom import settings
from darkroom.embedded import wire


def test_the_ages_of_the_default_settings_are_the_documented_ones() -> None:
    ages = wire.ages(settings.from_mapping({}))
    assert timedelta(minutes=16) < ages.patience < timedelta(minutes=17)
    assert timedelta(hours=18) < ages.grace < timedelta(hours=19)
    assert (ages.failures, ages.tombstones) == (timedelta(days=14), timedelta(days=30))


def test_whatever_takes_longer_is_given_longer() -> None:
    usual = wire.ages(settings.from_mapping({}))
    slower = {"DARKROOM_ATTEMPTS": "9", "DARKROOM_RENDER_SECONDS": "600"}
    assert wire.ages(settings.from_mapping(slower)).patience > usual.patience + 9 * timedelta(minutes=10)
    larger = {"DARKROOM_MAX_UPLOAD_BYTES": str(1024**3), "DARKROOM_FAILED_DAYS": "0", "DARKROOM_DELETED_DAYS": "1"}
    ages = wire.ages(settings.from_mapping(larger))
    assert ages.grace > timedelta(days=12), "a gigabyte at a kilobyte a second"
    assert ages.failures == ages.grace
    assert ages.tombstones == 2 * ages.grace
