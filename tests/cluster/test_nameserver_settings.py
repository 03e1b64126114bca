"""The settings a name server keeps for operators, and its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.local_cluster import ask, name_server, told
from tests.support.raw_peer import RawPeer

from pocketmq.nameserver.config import NameServerConfig
from pocketmq.net import ListenConfig
from pocketmq.protocol.bodies.java_properties import parse_properties
from pocketmq.protocol.codes import RequestCode
from pocketmq.protocol.command import Command
from pocketmq.settings import settings_of


@pytest.fixture
async def client() -> AsyncIterator[RawPeer]:
    async with name_server() as app, RawPeer(app.port) as peer:
        yield peer


async def test_key_value_settings_are_kept_over_a_restart(tmp_path: Path) -> None:
    config = NameServerConfig(kv_path=tmp_path / "namesrv" / "kvConfig.json")
    async with name_server(config) as app, RawPeer(app.port) as peer:
        puts = [
            Command.request(100, {"namespace": "n", "key": f"k{i}", "value": f"v{i}"})
            for i in range(20)
        ]
        await peer.send(*puts)
        assert [(await peer.receive()).code for _ in puts] == [0] * 20
        assert (await ask(peer, 102, namespace="n", key="k0")).code == 0
        assert (await ask(peer, 102, namespace="n", key="k0")).code == 0
    async with name_server(config) as app, RawPeer(app.port) as peer:
        assert (await ask(peer, 101, namespace="n", key="k1")).fields == {"value": "v1"}
        assert (await ask(peer, 101, namespace="n", key="k0")).code == 22
        assert len((await told(peer, 219, namespace="n"))["table"]) == 19
        assert (await ask(peer, 219, namespace="m")).code == 22
        missing = await ask(peer, 101, namespace="nowhere", key="nothing")
        assert missing.remark == "No config item, Namespace: nowhere Key: nothing"


async def test_a_setting_without_namespace_or_key_is_refused(client: RawPeer) -> None:
    for fields in ({"namespace": "n"}, {"key": "k"}):
        assert (await ask(client, RequestCode.PUT_KV_CONFIG, value="v", **fields)).code == 1


async def test_a_setting_that_cannot_be_saved_is_an_error(tmp_path: Path) -> None:
    config = NameServerConfig(kv_path=tmp_path / "dir" / "kv.json")
    async with name_server(config) as app, RawPeer(app.port) as peer:
        (tmp_path / "dir").touch()
        answer = await ask(peer, RequestCode.PUT_KV_CONFIG, namespace="n", key="k", value="v")
        assert answer.code == 1
        assert answer.remark is not None and "saving failed" in answer.remark


async def test_key_value_settings_are_bounded() -> None:
    config = NameServerConfig()
    config = replace(config, limits=replace(config.limits, kv_entries_max=1))
    async with name_server(config) as app, RawPeer(app.port) as peer:
        assert (await ask(peer, 100, namespace="n", key="k", value="1")).code == 0
        assert (await ask(peer, 100, namespace="n", key="k", value="2")).code == 0
        assert (await ask(peer, 100, namespace="n", key="k2", value="1")).code == 1


async def test_own_settings_are_shown_without_secrets() -> None:
    listen = ListenConfig(tls_key_password="hush")
    async with name_server(NameServerConfig(listen=listen)) as app, RawPeer(app.port) as peer:
        answer = await ask(peer, RequestCode.GET_NAMESRV_CONFIG)
        shown = parse_properties(answer.body)
        assert shown["orderMessageEnable"] == "false"
        assert shown["scanNotActiveBrokerInterval"] == "5000"
        assert b"hush" not in bytes(answer.body)


@pytest.mark.parametrize(
    ("body", "code", "remark"),
    [
        (b"kvConfigPath=/etc/passwd", 16, "kvConfigPath may not be changed by requests"),
        (b"rocketmqHome=/", 16, "rocketmqHome may not be changed"),
        (b"orderMessageEnable=true\nconfigStorePath=/x", 16, "configStorePath may not"),
        (b"listenPort=1", 16, "listenPort cannot be changed while the name server runs"),
        (b"noSuchSetting=1", 16, "these can: deleteTopicWithBrokerRegistration"),
        (b"orderMessageEnable=maybe", 1, "orderMessageEnable"),
        (b"\xff\xfe", 1, "not UTF-8"),
        (b"", 0, None),
        (b"notifyMinBrokerIdChanged=false\n", 0, None),
    ],
)
async def test_only_safe_settings_change_and_all_or_none(
    client: RawPeer, body: bytes, code: int, remark: str | None
) -> None:
    answer = await ask(client, RequestCode.UPDATE_NAMESRV_CONFIG, body)
    assert answer.code == code, answer.remark
    if remark is not None:
        assert answer.remark is not None and remark in answer.remark
    shown = parse_properties((await ask(client, RequestCode.GET_NAMESRV_CONFIG)).body)
    assert shown["orderMessageEnable"] == "false"


async def test_changed_settings_outlive_a_restart(tmp_path: Path) -> None:
    config = NameServerConfig(kv_path=tmp_path / "kvConfig.json")
    async with name_server(config) as app, RawPeer(app.port) as peer:
        body = b"notifyMinBrokerIdChanged=true\nwaitSecondsForService=7"
        assert (await ask(peer, RequestCode.UPDATE_NAMESRV_CONFIG, body)).code == 0
    async with name_server(config) as app, RawPeer(app.port) as peer:
        shown = parse_properties((await ask(peer, RequestCode.GET_NAMESRV_CONFIG)).body)
        assert (shown["notifyMinBrokerIdChanged"], shown["waitSecondsForService"]) == ("true", "7")
        assert shown["orderMessageEnable"] == "false"
    (tmp_path / "overrides.json").write_text(
        '{"overrides":{"listenPort":"1","waitSecondsForService":"x","orderMessageEnable":"true"}}'
    )
    async with name_server(config) as app, RawPeer(app.port) as peer:
        shown = parse_properties((await ask(peer, RequestCode.GET_NAMESRV_CONFIG)).body)
        assert (shown["waitSecondsForService"], shown["orderMessageEnable"]) == ("45", "true")


async def test_a_changed_setting_that_cannot_be_saved_is_an_error(tmp_path: Path) -> None:
    config = NameServerConfig(kv_path=tmp_path / "dir" / "kv.json")
    async with name_server(config) as app, RawPeer(app.port) as peer:
        (tmp_path / "dir").touch()
        answer = await ask(peer, RequestCode.UPDATE_NAMESRV_CONFIG, b"orderMessageEnable=true")
        assert answer.code == 1
        assert "until a restart only" in (answer.remark or "")


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            name
            for setting in settings_of(NameServerConfig())
            if not setting.path.startswith("routing.")
            for name in (setting.path, *setting.declaration.aliases)
        }
    ),
)
async def test_no_setting_of_another_group_changes(client: RawPeer, name: str) -> None:
    before = bytes((await ask(client, RequestCode.GET_NAMESRV_CONFIG)).body)
    for value in ("/etc/passwd", "$(touch evil)", "192.0.2.1:9876", "1"):
        body = f"orderMessageEnable=true\n{name}={value}".encode()
        assert (await ask(client, RequestCode.UPDATE_NAMESRV_CONFIG, body)).code == 16
    assert bytes((await ask(client, RequestCode.GET_NAMESRV_CONFIG)).body) == before


@pytest.mark.parametrize(
    "body",
    [
        b"waitSecondsForService=7\\nkvConfigPath=/evil",
        b"waitSecondsForService=7\\u0000",
        b"orderMessageEnable\\u000A=true",
        b"orderMessageEnable=true\n" * 4000,
    ],
    ids=range(4),
)
async def test_hostile_settings_change_nothing(client: RawPeer, body: bytes) -> None:
    before = bytes((await ask(client, RequestCode.GET_NAMESRV_CONFIG)).body)
    assert (await ask(client, RequestCode.UPDATE_NAMESRV_CONFIG, body)).code == 29
    assert bytes((await ask(client, RequestCode.GET_NAMESRV_CONFIG)).body) == before
