"""The answer that says no more than that a request was done."""

from __future__ import annotations

import pytest

from pocketmq.protocol.command import FLAG_RESPONSE, JSON, ROCKETMQ, Command
from pocketmq.protocol.framing import encode_frame
from pocketmq.protocol.replies import encode_ok


@pytest.mark.parametrize("serialization", [JSON, ROCKETMQ])
@pytest.mark.parametrize("opaque", [0, 7, -7, 2**31 - 1, -(2**31), 0x25252525])
def test_it_is_the_frame_of_an_ordinary_response(serialization: int, opaque: int) -> None:
    command = Command(0, opaque=opaque, flag=FLAG_RESPONSE, serialization=serialization)
    assert encode_ok(serialization, opaque) == encode_frame(command)
