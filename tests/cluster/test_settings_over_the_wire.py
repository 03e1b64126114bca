"""Who reaches the port of a broker can change a few settings and nothing else.

Each setting that names a file, a command, an address or a port is tried, and values that would be
more than one setting, or another, to whoever reads them later.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.local_broker import Peer, connected, local_broker

from pocketmq.broker.app import BrokerApp
from pocketmq.broker.config import BrokerConfig
from pocketmq.broker.handlers.admin.live import CHANGEABLE, LiveSettings
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.bodies.pop import AssignmentReply, AssignmentRequest
from pocketmq.protocol.bodies.subscription_group import SubscriptionGroup
from pocketmq.protocol.bodies.topic_config import TopicConfig
from pocketmq.protocol.codes import RequestCode, ResponseCode
from pocketmq.protocol.command import Command
from pocketmq.settings import apache, settings_of
from pocketmq.settings.values import choices_of, show

DECLARED = {setting.path: setting for setting in settings_of(BrokerConfig())}
NAMES = sorted(
    {name for path, setting in DECLARED.items() for name in (path, *setting.declaration.aliases)}
    | set(apache.KEYS)
)
CHANGEABLE_NAMES = {
    name for path in CHANGEABLE for name in (path, *DECLARED[path].declaration.aliases)
}
FORBIDDEN = [name for name in NAMES if name not in CHANGEABLE_NAMES]
PATHS_AND_COMMANDS = (
    "/etc/passwd",
    "../../evil",
    "$(touch evil)",
    "`touch evil`",
    "; touch evil",
    "file:///evil",
    "192.0.2.1:9876",
    "\\\\192.0.2.1\\share",
)
HOSTILE_VALUES = (
    "04\\nbrokerConfigPath=/evil",
    "04\\r\\nbrokerConfigPath=/evil",
    "04\\u000AbrokerConfigPath=/evil",
    "04\\u0000",
    "04\\u001b[2J",
    "04\\u2028brokerConfigPath=/evil",
    "04;\\\n  \\n05",
    "9" * 5000,
    "1e400",
    "nan",
    "true false",
    *PATHS_AND_COMMANDS,
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerApp]:
    async with local_broker(tmp_path) as app:
        yield app


@pytest.fixture
async def peer(broker: BrokerApp) -> AsyncIterator[Peer]:
    async with connected(broker, "one") as (one,):
        yield one


async def settings(peer: Peer) -> bytes:
    return bytes((await peer.call(RequestCode.GET_BROKER_CONFIG)).body)


async def change(peer: Peer, text: str) -> Command:
    return await peer.call(RequestCode.UPDATE_BROKER_CONFIG, body=text.encode())


def test_no_changeable_setting_names_a_place() -> None:
    for path in CHANGEABLE:
        setting = DECLARED[path]
        free_text = setting.type is str and not choices_of(setting.type)
        assert setting.type is not Path, path
        assert not free_text or setting.declaration.check is not None, path
        assert not any(word in path for word in ("dir", "path", "file_", "port", "host", "address"))
        assert setting.declaration.aliases, f"{path} has no name that mqadmin could send"


async def test_no_other_setting_changes_whatever_is_sent(broker: BrokerApp, peer: Peer) -> None:
    before = await settings(peer)
    assert len(FORBIDDEN) > 500
    for number, name in enumerate(FORBIDDEN):
        value = PATHS_AND_COMMANDS[number % len(PATHS_AND_COMMANDS)]
        answer = await change(peer, f"autoCreateTopicEnable=false\n{name}={value}")
        assert answer.code in (ResponseCode.NO_PERMISSION, ResponseCode.INVALID_PARAMETER), name
        assert answer.remark, name
    assert await settings(peer) == before
    assert not broker.running.tables.overrides.values


@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=range(len(HOSTILE_VALUES)))
async def test_hostile_values_change_nothing(broker: BrokerApp, peer: Peer, value: str) -> None:
    before = await settings(peer)
    for path in sorted(CHANGEABLE):
        for name in (path, DECLARED[path].declaration.aliases[0]):
            answer = await change(peer, f"{name}={value}")
            assert answer.code == ResponseCode.INVALID_PARAMETER, name
    assert await settings(peer) == before
    assert not broker.running.tables.overrides.values


@pytest.mark.parametrize(
    "key",
    [
        "autoCreateTopicEnable\\nbrokerConfigPath",
        "autoCreateTopicEnable\\u0000",
        "broker.autoCreateTopicEnable/../x",
        "AUTOCREATETOPICENABLE ",
        "__class__",
        "topics.__class__",
        "topics",
        "store.retention",
        "store.root",
        "x" * 3000,
        "\\u0000",
    ],
)
async def test_hostile_names_change_nothing(peer: Peer, key: str) -> None:
    before = await settings(peer)
    answer = await change(peer, f"{key}=false")
    assert answer.code in (ResponseCode.NO_PERMISSION, ResponseCode.INVALID_PARAMETER)
    assert len(answer.remark or "") < 2000
    assert await settings(peer) == before


async def test_a_request_of_settings_is_bounded(peer: Peer) -> None:
    answer = await change(peer, "autoCreateTopicEnable=false\n" * 3000)
    assert answer.code == ResponseCode.INVALID_PARAMETER
    assert "at most 65536" in (answer.remark or "")
    answer = await peer.call(RequestCode.UPDATE_BROKER_CONFIG, body=b"a=\xff\xfe")
    assert answer.code == ResponseCode.SYSTEM_ERROR


async def test_every_changeable_setting_changes_is_written_and_shown(tmp_path: Path) -> None:
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        wanted = {}
        for path in sorted(CHANGEABLE):
            setting = DECLARED[path]
            name = setting.declaration.aliases[0]
            wanted[name] = another(setting.type, setting.default)
            assert (await change(peer, f"{name}={wanted[name]}")).code == 0, name
        shown = parse_properties(await settings(peer))
        assert {name: shown[name] for name in wanted} == wanted
        saved = json.loads((tmp_path / "config" / "overrides.json").read_bytes())
        assert saved["overrides"] == wanted
    async with local_broker(tmp_path) as app, connected(app, "one") as (peer,):
        shown = parse_properties(await settings(peer))
        assert {name: shown[name] for name in wanted} == wanted


def another(kind: object, value: object) -> str:
    """A good value that is not the default."""
    choices = [choice for choice in choices_of(kind) if choice != show(value)]
    if choices:
        return choices[0]
    if isinstance(value, bool):
        return show(not value)
    if isinstance(value, int):
        return show(7 if value == 6 else value + 1)
    return "05;17"


async def test_what_is_changed_is_in_effect_at_once(broker: BrokerApp, peer: Peer) -> None:
    recall = {"topic": "T", "recallHandle": "nonsense"}
    refused = await peer.call(RequestCode.RECALL_MESSAGE, recall)
    assert "recallMessageEnable" in (refused.remark or "")
    assert (await change(peer, "recallMessageEnable=true")).code == 0
    allowed = await peer.call(RequestCode.RECALL_MESSAGE, recall)
    assert "recallMessageEnable" not in (allowed.remark or "")
    broker.running.tables.groups.put(SubscriptionGroup("g"))
    broker.running.tables.topics.put(TopicConfig("T", 2, 2))
    assert (await change(peer, "defaultMessageRequestMode=POP")).code == 0
    await peer.heartbeat("T")
    ask = AssignmentRequest("T", "g", "one", "AVG", "CLUSTERING")
    answer = await peer.call(RequestCode.QUERY_ASSIGNMENT, body=ask.to_json())
    assigned = AssignmentReply.from_json(answer.body).message_queue_assignments or ()
    modes = {each.mode for each in assigned}
    assert modes == {"POP"}


def test_a_change_that_cannot_be_taken_is_noticed_at_once() -> None:
    with pytest.raises(AssertionError, match="taker"):
        LiveSettings(BrokerConfig(), {"topics": print})
