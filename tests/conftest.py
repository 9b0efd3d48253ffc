"""Fixtures that more than one folder of tests uses."""

from hypothesis import settings

settings.register_profile("whatever the clock says", deadline=None)
settings.load_profile("whatever the clock says")

pytest_plugins = ("servers", "emulator", "deployed", "catalogs")
