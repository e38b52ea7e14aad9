"""Who signs the certificates of cameras, and a camera that has one."""

from __future__ import annotations

import pytest

from tests.edge.capture.pki import Authority, Identity


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "ours")


@pytest.fixture(scope="session")
def camera(authority: Authority) -> Identity:
    """For 127.0.0.1."""
    return authority.signed("camera")
