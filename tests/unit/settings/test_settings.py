"""Settings: names, units, sources and what people are told when they slip."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from pocketmq.errors import ConfigError
from pocketmq.settings import (
    Entry,
    Names,
    as_properties,
    group,
    read_environment,
    read_file,
    read_flag,
    resolve,
    setting,
    settings_of,
)


class Flush(enum.Enum):
    ASYNC_FLUSH = "async"
    SYNC_FLUSH = "sync"


@dataclass(frozen=True, slots=True)
class FlushConfig:
    mode: Flush = setting(Flush.ASYNC_FLUSH, "When a send is answered.", alias="flushDiskType")
    interval_ms: int = setting(
        500, "How often to flush.", alias="flushIntervalCommitLog", minimum=1, maximum=60_000
    )
    retention_ms: int = setting(
        259_200_000, "How long to keep.", alias="fileReservedTime", alias_unit=3_600_000
    )


@dataclass(frozen=True, slots=True)
class ListenConfig:
    port: int = setting(1, "Where to listen.", alias="listenPort", minimum=0, maximum=65535)


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    name: str = setting("pocket", "The broker's name.", alias="brokerName")
    name_servers: tuple[str, ...] = setting(
        (), "Where to register.", alias="namesrvAddr", environment="NAMESRV_ADDR"
    )
    file_size_bytes: int = setting(1 << 30, "Bytes a file.", alias="mappedFileSizeCommitLog")
    root: Path | None = setting(None, "Where the data is.", alias="storePathRootDir")
    mode: Literal["auto", "fixed"] = setting("auto", "What to advertise.")
    ratio: float = setting(0.75, "A ratio.")
    trace: bool = setting(False, "Whether to trace.", alias="traceOn")
    listen: ListenConfig = group(ListenConfig, port=10911)
    flush: FlushConfig = group(FlushConfig)


@dataclass(frozen=True, slots=True)
class NameServerConfig:
    listen: ListenConfig = group(ListenConfig, port=9876)
    order_messages: bool = setting(False, "Order.", alias="orderMessageEnable")


def broker(*flags: str) -> BrokerConfig:
    return resolve({"broker": BrokerConfig()}, map(read_flag, flags)).config(BrokerConfig)


def warnings_for(*flags: str) -> tuple[str, ...]:
    return resolve({"broker": BrokerConfig()}, map(read_flag, flags)).warnings


def test_a_group_starts_from_the_defaults_its_owner_chose() -> None:
    assert BrokerConfig().listen.port == 10911
    assert NameServerConfig().listen.port == 9876


def test_a_setting_answers_to_its_path_its_last_part_and_rocketmqs_name() -> None:
    for name in (
        "flush.interval_ms",
        "interval_ms",
        "broker.flush.interval_ms",
        "flushIntervalCommitLog",
        "flushintervalcommitlog",
        "flush.interval-ms",
    ):
        assert broker(f"{name}=7").flush.interval_ms == 7, name


@pytest.mark.parametrize(
    ("flag", "path", "value"),
    [
        ("flush.interval_ms=2s", "interval_ms", 2000),
        ("flush.interval_ms=1.5s", "interval_ms", 1500),
        ("fileReservedTime=48", "retention_ms", 172_800_000),
        ("fileReservedTime=2d", "retention_ms", 172_800_000),
        ("flush.retention_ms=48", "retention_ms", 48),
        ("flushDiskType=SYNC_FLUSH", "mode", Flush.SYNC_FLUSH),
        ("flush.mode=sync-flush", "mode", Flush.SYNC_FLUSH),
    ],
)
def test_values_may_carry_units(flag: str, path: str, value: object) -> None:
    assert getattr(broker(flag).flush, path) == value


@pytest.mark.parametrize(
    ("text", "size"), [("1GiB", 1 << 30), ("64MB", 64_000_000), ("1073741824", 1 << 30), ("5b", 5)]
)
def test_sizes_may_carry_units(text: str, size: int) -> None:
    assert broker(f"mappedFileSizeCommitLog={text}").file_size_bytes == size


def test_lists_paths_booleans_and_choices_are_read() -> None:
    config = broker("namesrvAddr=a:1;b:2", "root=/x/y", "traceOn=yes", "mode=FIXED", "ratio=0.5")
    assert config.name_servers == ("a:1", "b:2")
    assert config.root == Path("/x/y")
    assert config.trace
    assert config.mode == "fixed"
    assert config.ratio == 0.5
    assert broker("storePathRootDir=").root is None


@pytest.mark.parametrize(
    ("flag", "part"),
    [
        ("flush.interval_ms=0", "at least 1"),
        ("flush.interval_ms=1h", "at most 60000"),
        ("flush.interval_ms=soon", "a duration like 30s"),
        ("flush.interval_ms=1GiB", "a duration like 30s"),
        ("file_size_bytes=1.5", "a size like 64MiB"),
        ("traceOn=maybe", "true or false"),
        ("flushDiskType=NEVER", "ASYNC_FLUSH, SYNC_FLUSH"),
        ("mode=x", "auto, fixed"),
    ],
)
def test_a_bad_value_names_the_flag_and_the_cure(flag: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        broker(flag)
    assert str(caught.value).startswith(f"--set {flag.partition('=')[0]}: ")
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_flag_without_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="name=value"):
        read_flag("brokerName")


def test_later_entries_win_and_origins_tell_where_from() -> None:
    resolved = resolve(
        {"broker": BrokerConfig()},
        [Entry("brokerName", "a", "a.conf line 1"), Entry("name", "b", "--set name")],
    )
    assert resolved.config(BrokerConfig).name == "b"
    assert resolved.origins == {"broker.name": "--set name"}


def test_an_unknown_name_is_a_warning_with_the_nearest_known_one() -> None:
    (warning,) = warnings_for("flushIntervalComitLog=1")
    assert warning == (
        "--set flushIntervalComitLog: no setting is called flushIntervalComitLog, "
        "so it is ignored; did you mean flushIntervalCommitLog?"
    )
    assert warnings_for("xyzzy=1") == ("--set xyzzy: no setting is called xyzzy, so it is ignored",)


def test_a_setting_that_only_rocketmq_has_says_why_it_has_no_effect() -> None:
    (warning,) = warnings_for("sendMessageThreadPoolNums=4")
    assert "RocketMQ's sendMessageThreadPoolNums has no effect here" in warning
    assert "event loop" in warning


def test_access_control_is_never_ignored_in_silence() -> None:
    with pytest.raises(ConfigError, match="aclEnable=false"):
        broker("aclEnable=true")
    assert len(warnings_for("aclEnable=true", "aclEnable=false")) == 1


def test_a_name_that_two_programs_have_must_be_spelled_out() -> None:
    sections = {"broker": BrokerConfig(), "nameserver": NameServerConfig()}
    with pytest.raises(ConfigError, match=r"write broker.listen.port or nameserver.listen.port"):
        resolve(sections, [read_flag("listenPort=5")])
    resolved = resolve(sections, [read_flag("nameserver.listenPort=5")])
    assert resolved.config(NameServerConfig).listen.port == 5
    assert resolved.config(BrokerConfig).listen.port == 10911


def test_an_apache_file_is_read_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "broker.conf"
    file.write_text(
        "# Licensed\n! too\nbrokerName = broker-a\n\nlistenPort:10921\n"
        "namesrvAddr=10.0.0.1:9876;\\\n    10.0.0.2:9876\nfileReservedTime=48\n"
        "flushDiskType   SYNC_FLUSH\nstorePathRootDir=/d\\u0061ta\n"
    )
    entries = read_file(file)
    assert [entry.where for entry in entries] == [f"{file} line {n}" for n in (3, 5, 6, 8, 9, 10)]
    config = resolve({"broker": BrokerConfig()}, entries).config(BrokerConfig)
    assert config.name == "broker-a"
    assert config.listen.port == 10921
    assert config.name_servers == ("10.0.0.1:9876", "10.0.0.2:9876")
    assert config.flush.retention_ms == 172_800_000
    assert config.flush.mode is Flush.SYNC_FLUSH
    assert config.root == Path("/data")


def test_a_name_servers_file_speaks_to_the_name_server(tmp_path: Path) -> None:
    file = tmp_path / "namesrv.conf"
    file.write_text("listenPort=9999\n")
    sections = {"broker": BrokerConfig(), "nameserver": NameServerConfig()}
    resolved = resolve(sections, read_file(file))
    assert resolved.config(NameServerConfig).listen.port == 9999
    assert resolved.config(BrokerConfig).listen.port == 10911


def test_toml_tables_are_groups_and_errors_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "pocketmq.toml"
    file.write_text(
        '[broker]\nname = "b"\nname_servers = ["a:1", "b:2"]\n\n'
        '[broker.flush]\ninterval_ms = "2s"\nmode = "sync_flush"\n'
    )
    config = resolve({"broker": BrokerConfig()}, read_file(file)).config(BrokerConfig)
    assert (config.name, config.name_servers) == ("b", ("a:1", "b:2"))
    assert (config.flush.interval_ms, config.flush.mode) == (2000, Flush.SYNC_FLUSH)
    file.write_text("[broker.flush]\n\ninterval_ms = true\n")
    with pytest.raises(ConfigError, match=r"\.toml line 3: broker\.flush\.interval_ms"):
        resolve({"broker": BrokerConfig()}, read_file(file))
    file.write_text("[broker\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_file(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration file"):
        read_file(tmp_path / "none.conf")


def test_the_environment_is_read_and_switches_are_not_settings() -> None:
    sections = {"broker": BrokerConfig()}
    names = Names(sections)
    environment = {
        "POCKETMQ_FLUSH_INTERVAL_MS": "9",
        "POCKETMQ_BROKER_LISTEN_PORT": "12",
        "POCKETMQ_PURE": "1",
        "POCKETMQ_NONSENSE": "1",
        "NAMESRV_ADDR": "n:1",
        "HOME": "/",
    }
    resolved = resolve(sections, read_environment(environment, names.environment), names)
    config = resolved.config(BrokerConfig)
    assert (config.flush.interval_ms, config.listen.port) == (9, 12)
    assert config.name_servers == ("n:1",)
    assert len(resolved.warnings) == 1
    assert "POCKETMQ_NONSENSE" in resolved.warnings[0]


def test_a_config_is_shown_under_rocketmqs_names_and_units() -> None:
    shown = as_properties(broker("fileReservedTime=48", "flushDiskType=SYNC_FLUSH", "traceOn=1"))
    assert shown["fileReservedTime"] == "48"
    assert shown["flushDiskType"] == "SYNC_FLUSH"
    assert shown["traceOn"] == "true"
    assert shown["listenPort"] == "10911"
    again = resolve({"broker": BrokerConfig()}, [Entry(k, v, "") for k, v in shown.items()])
    assert as_properties(again.config(BrokerConfig)) == shown


def test_every_setting_has_a_path_and_a_sentence() -> None:
    settings = list(settings_of(BrokerConfig()))
    assert [s.path for s in settings][-4:] == [
        "listen.port",
        "flush.mode",
        "flush.interval_ms",
        "flush.retention_ms",
    ]
    assert all(s.declaration.doc.endswith(".") for s in settings)
