"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the open data, from the environment variable ``VIDEOMDM_DATA``; skips where there is none."""
    root = os.environ.get("VIDEOMDM_DATA")
    if not root:
        pytest.skip("needs open data: set VIDEOMDM_DATA to their folder")
    if not Path(root).is_dir():
        pytest.skip(f"needs open data: VIDEOMDM_DATA is {root!r}, which is no folder")
    return Path(root)
