"""Every flow runs on every deployment."""

from collections.abc import Iterator

import httpx
import pytest

from darkroom.model import OriginalPolicy
from deployments import DEPLOYMENTS


@pytest.fixture(scope="package", params=sorted(DEPLOYMENTS))
def keeping(request, tmp_path_factory) -> Iterator[httpx.Client]:
    """A deployment that keeps originals."""
    folder = tmp_path_factory.mktemp(f"keeping-{request.param}")
    with DEPLOYMENTS[request.param](request, folder, OriginalPolicy.KEEP) as client:
        yield client


@pytest.fixture(scope="package", params=sorted(DEPLOYMENTS))
def deleting(request, tmp_path_factory) -> Iterator[httpx.Client]:
    """A deployment that removes originals once their variants are made, which is the default."""
    folder = tmp_path_factory.mktemp(f"deleting-{request.param}")
    with DEPLOYMENTS[request.param](request, folder, OriginalPolicy.DELETE) as client:
        yield client
