"""How commands end: numbers that scripts can rely on.

0     done
1     what was asked for is not there, or a check found something
2     the command was called wrongly, or a setting is wrong
3     nobody answers: no name server or no broker could be reached in time
4     a server answered, and refused
130   ended by Ctrl-C, or "no" was the answer to "is it meant?"
141   whoever read the output has gone
"""

from __future__ import annotations

from typing import Final

from pocketmq.errors import (
    BrokerRefused,
    FeatureUnavailable,
    ListenFailed,
    NameServersUnreachable,
    NetError,
    NoRoute,
    PartlyDone,
    PocketMQError,
    RecallUnavailable,
    Refused,
    SendFailed,
    SendTimeout,
)

DONE: Final = 0
NOT_THERE: Final = 1
WRONG: Final = 2
UNREACHABLE: Final = 3
REFUSED: Final = 4
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141

_CHARS_MAX: Final = 600
_REFUSED: Final = "nobody listens there"
_CURES: Final = {
    2: "it is busy; try again in a moment",
    3: "the server does not know this request, so it is too old for this command",
    14: "it is starting, stopping or cannot write; try again, and see `pocketmq broker list`",
    16: "it does not permit this; see `pocketmq topic show` and `pocketmq broker settings`, or "
    "give --access-key and --secret-key",
    17: "`pocketmq topic list` shows what there is",
    24: "the group has no such subscription; start one of its consumers",
    26: "create it with `pocketmq group create`",
    206: "start a consumer of the group",
    207: "the consumer did not answer in time",
}
"""Response code -> what to do, where the server's own remark does not say it."""


class NotThere(PocketMQError):
    """What was asked for does not exist. The text says where to look."""


def exit_code(error: PocketMQError) -> int:
    """The number a command ends with."""
    if isinstance(error, (NotThere, NoRoute)):
        return NOT_THERE
    if isinstance(error, ListenFailed):
        return WRONG
    if isinstance(error, (NameServersUnreachable, NetError, SendTimeout)):
        return UNREACHABLE
    if isinstance(error, (BrokerRefused, Refused, SendFailed, FeatureUnavailable, PartlyDone)):
        return REFUSED
    return REFUSED if isinstance(error, RecallUnavailable) else WRONG


def message_of(error: PocketMQError) -> str:
    """The error in one line, with what to do about it."""
    if isinstance(error, NameServersUnreachable):
        return _unreachable(error)
    text = " ".join(str(error).split())
    if len(text) > _CHARS_MAX:
        text = text[: _CHARS_MAX - 1] + "…"
    if isinstance(error, BrokerRefused) and ";" not in text:
        cure = _CURES.get(error.code)
        if "SQL92" in text:
            cure = "set enablePropertyFilter=true on the broker, or filter by --tag"
        return f"{text}; {cure}" if cure else text
    return text


def _unreachable(error: NameServersUnreachable) -> str:
    problems = [
        f"{address}: {_REFUSED if 'Errno 111' in problem else ' '.join(problem.split())}"
        for address, problem in error.problems.items()
    ]
    return (
        f"no name server answers ({'; '.join(problems)}); start one with `pocketmq up`, or say "
        "where it is with -n HOST:PORT or NAMESRV_ADDR"
    )
