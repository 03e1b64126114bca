"""Names of topics and groups: which are reserved, which are legal, and how names derive from names.

A consumer group owns further topics, whose names are built from its own:

    %RETRY%group            messages it will be given again
    %DLQ%group              messages it has given up on
    %RETRY%group_topic      what it popped and did not acknowledge (first form)
    %RETRY%group+topic      the same, second form; `+` is illegal for clients, so it cannot collide

A namespace is put in front of a name as `namespace%name`, behind the retry or dead letter prefix.
"""

from __future__ import annotations

import re
from typing import Final

RETRY_PREFIX: Final = "%RETRY%"
DEAD_LETTER_PREFIX: Final = "%DLQ%"
LMQ_PREFIX: Final = "%LMQ%"
SYSTEM_PREFIX: Final = "rmq_sys_"
SYSTEM_GROUP_PREFIX: Final = "CID_RMQ_SYS_"
STATIC_BROKER_PREFIX: Final = "__syslo__"
NAMESPACE_SEPARATOR: Final = "%"
POP_RETRY_SEPARATOR: Final = "+"

TOPIC_CHARS_MAX: Final = 127
DERIVED_TOPIC_CHARS_MAX: Final = 255
GROUP_CHARS_MAX: Final = 120
CLIENT_GROUP_CHARS_MAX: Final = 255

AUTO_CREATE_TOPIC: Final = "TBW102"
# The X are part of the name that RocketMQ gives the topic of its delay levels.
SCHEDULE_TOPIC: Final = "SCHEDULE_TOPIC_XXXX"
BENCHMARK_TOPIC: Final = "BenchmarkTest"
HALF_TOPIC: Final = "RMQ_SYS_TRANS_HALF_TOPIC"
HALF_OPERATION_TOPIC: Final = "RMQ_SYS_TRANS_OP_HALF_TOPIC"
CHECK_MAX_TOPIC: Final = "TRANS_CHECK_MAX_TIME_TOPIC"
TRACE_TOPIC: Final = "RMQ_SYS_TRACE_TOPIC"
SELF_TEST_TOPIC: Final = "SELF_TEST_TOPIC"
OFFSET_MOVED_TOPIC: Final = "OFFSET_MOVED_EVENT"
CHECKPOINT_TOPIC: Final = "CHECKPOINT_TOPIC"
TIMER_TOPIC: Final = "rmq_sys_wheel_timer"

SYSTEM_TOPICS: Final = frozenset(
    (
        AUTO_CREATE_TOPIC,
        SCHEDULE_TOPIC,
        BENCHMARK_TOPIC,
        HALF_TOPIC,
        HALF_OPERATION_TOPIC,
        CHECK_MAX_TOPIC,
        TRACE_TOPIC,
        SELF_TEST_TOPIC,
        OFFSET_MOVED_TOPIC,
        CHECKPOINT_TOPIC,
    )
)
"""Reserved on every broker. Each broker adds its cluster's and its own name and what derives from
them; see `broker_system_topics`."""

SEND_FORBIDDEN_TOPICS: Final = frozenset(
    (
        SCHEDULE_TOPIC,
        HALF_TOPIC,
        HALF_OPERATION_TOPIC,
        CHECK_MAX_TOPIC,
        SELF_TEST_TOPIC,
        OFFSET_MOVED_TOPIC,
    )
)
"""Only the broker itself writes here; a client's send is answered NO_PERMISSION."""

TOOLS_GROUP: Final = "TOOLS_CONSUMER"
TRANSACTION_GROUP: Final = "CID_RMQ_SYS_TRANS"
BUILT_IN_GROUPS: Final = (
    TOOLS_GROUP,
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    TRANSACTION_GROUP,
)
"""Every broker has these groups; those that start `CID_ONS` may broadcast."""

# Permission bits of a topic.
PERM_INHERIT: Final = 1
PERM_WRITE: Final = 2
PERM_READ: Final = 4
PERM_PRIORITY: Final = 8
PERM_READ_WRITE: Final = PERM_READ | PERM_WRITE

_LEGAL = re.compile(r"[%|a-zA-Z0-9_-]+", re.ASCII)


def topic_problem(name: str) -> str | None:
    """Why `name` cannot be a topic, or None when it can. Derived names may be longer."""
    derived = name.startswith((RETRY_PREFIX, DEAD_LETTER_PREFIX))
    return _problem("topic", name, DERIVED_TOPIC_CHARS_MAX if derived else TOPIC_CHARS_MAX)


def group_problem(name: str, chars_max: int = GROUP_CHARS_MAX) -> str | None:
    """Why `name` cannot be a group, or None when it can."""
    return _problem("group", name, chars_max)


def _problem(kind: str, name: str, chars_max: int) -> str | None:
    if not name.strip():
        return f"the {kind} name is blank; give it a name"
    if not _LEGAL.fullmatch(name):
        return f"the {kind} name {name[:160]!r} is illegal; use only a-z A-Z 0-9 _ - % |"
    if len(name) > chars_max:
        return f"the {kind} name {name[:160]!r} has {len(name)} characters; {chars_max} are allowed"
    return None


def is_system_topic(name: str) -> bool:
    """True for topics reserved on every broker; `broker_system_topics` adds a broker's own."""
    return name in SYSTEM_TOPICS or name.startswith(SYSTEM_PREFIX)


def broker_system_topics(cluster: str, broker: str) -> frozenset[str]:
    """All reserved topics of one broker, except those known by their prefix alone."""
    own = (cluster, broker, reply_topic(cluster), revive_topic(cluster), member_topic(broker))
    return SYSTEM_TOPICS.union(own)


def is_system_group(name: str) -> bool:
    """True for groups that belong to the broker or its tools."""
    return name == TOOLS_GROUP or name.startswith(SYSTEM_GROUP_PREFIX)


def is_retry_topic(name: str) -> bool:
    """True for topics that hold messages to be consumed again."""
    return name.startswith(RETRY_PREFIX)


def is_dead_letter_topic(name: str) -> bool:
    """True for topics that hold given-up messages."""
    return name.startswith(DEAD_LETTER_PREFIX)


def retry_topic(group: str) -> str:
    """Where a group's failed messages wait for their next try."""
    return RETRY_PREFIX + group


def dead_letter_topic(group: str) -> str:
    """Where a group's given-up messages end."""
    return DEAD_LETTER_PREFIX + group


def group_of_retry_topic(name: str) -> str:
    """The group of a retry topic; of a second-form pop retry topic too."""
    return name[len(RETRY_PREFIX) :].split(POP_RETRY_SEPARATOR, 1)[0]


def pop_retry_topic(group: str, topic: str, *, second_form: bool = False) -> str:
    """Where a group's unacknowledged pops of `topic` wait."""
    return f"{RETRY_PREFIX}{group}{POP_RETRY_SEPARATOR if second_form else '_'}{topic}"


def topic_of_pop_retry_topic(name: str, group: str) -> str:
    """The topic a pop retry topic of `group` was made for; `name` itself when it is none."""
    for separator in (POP_RETRY_SEPARATOR, "_"):
        prefix = f"{RETRY_PREFIX}{group}{separator}"
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def reply_topic(cluster: str) -> str:
    """Where replies of the request/reply pattern go."""
    return f"{cluster}_REPLY_TOPIC"


def revive_topic(cluster: str) -> str:
    """The log of pop checkpoints."""
    return f"{SYSTEM_PREFIX}REVIVE_LOG_{cluster}"


def member_topic(broker: str) -> str:
    """The topic whose route tells a broker its group's members."""
    return f"{SYSTEM_PREFIX}SYNC_BROKER_MEMBER_{broker}"


def with_namespace(namespace: str, name: str) -> str:
    """`name` inside `namespace`; reserved names and names already inside stay as they are."""
    if not namespace or not name or is_system_topic(name) or is_system_group(name):
        return name
    prefix, rest = _split_prefix(name)
    if rest.startswith(namespace + NAMESPACE_SEPARATOR):
        return name
    return f"{prefix}{namespace}{NAMESPACE_SEPARATOR}{rest}"


def without_namespace(name: str, namespace: str = "") -> str:
    """`name` with its namespace taken off; with `namespace` given, only if it is that one."""
    if is_system_topic(name) or is_system_group(name):
        return name
    prefix, rest = _split_prefix(name)
    found, separator, bare = rest.partition(NAMESPACE_SEPARATOR)
    if not separator or not found or (namespace and found != namespace):
        return name
    return prefix + bare


def _split_prefix(name: str) -> tuple[str, str]:
    for prefix in (RETRY_PREFIX, DEAD_LETTER_PREFIX):
        if name.startswith(prefix):
            return prefix, name[len(prefix) :]
    return "", name
