"""The sweep is made once, and its tests look at what was printed."""

from __future__ import annotations

import pytest
from tests.compat.conftest import unavailable
from tests.compat.mqadmin.clusters import Sweep, sweep
from tests.support.clients.cache import PeerUnavailable


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """What mqadmin printed in front of Apache and in front of us."""
    try:
        return sweep(tmp_path_factory.mktemp("mqadmin"))
    except PeerUnavailable as error:
        unavailable(error)
        raise
