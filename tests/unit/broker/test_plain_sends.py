"""Answers that were encoded before it was known what to answer."""

from __future__ import annotations

import pytest

from pocketmq.broker.handlers.plain_sends import with_code
from pocketmq.protocol.command import Command
from pocketmq.protocol.framing import encode_frame, frame_to_command, parse_frames


@pytest.mark.parametrize("serialization", [0, 1])
def test_all_answers_get_another_code_and_keep_the_rest(serialization: int) -> None:
    answers = b"".join(
        encode_frame(
            Command(0, opaque=n, flag=1, fields={"queueId": str(n)}, serialization=serialization)
        )
        for n in range(3)
    )
    assert with_code(answers, 0) is answers
    changed = with_code(answers, 10)
    commands = [frame_to_command(changed, frame) for frame in parse_frames(changed)[0]]
    assert [(c.code, c.opaque, c.fields["queueId"]) for c in commands] == [
        (10, 0, "0"),
        (10, 1, "1"),
        (10, 2, "2"),
    ]
