"""Both clusters, started once for all tests here."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from tests.compat.access.guarded import KINDS, Guarded, guarded
from tests.compat.conftest import unavailable
from tests.support.clients.cache import PeerUnavailable


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory, end_of_lane: ExitStack) -> dict[str, Guarded]:
    """Apache's cluster and ours."""
    try:
        return {
            kind: end_of_lane.enter_context(guarded(kind, tmp_path_factory.mktemp(kind)))
            for kind in KINDS
        }
    except PeerUnavailable as error:
        unavailable(error)
        raise
