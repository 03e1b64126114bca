"""Where settings of a command come from, and which of two places wins."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from pocketmq.cli.configuring import Flags, configured
from pocketmq.cli.directories import (
    SHARED_MEMORY,
    default_data_directory,
    ephemeral_directory,
    store_in,
)
from pocketmq.errors import ConfigError
from pocketmq.settings import Entry, group, setting


@dataclass(frozen=True, slots=True)
class ListenConfig:
    host: str = setting("127.0.0.1", "Host.", alias="bindAddress")
    port: int = setting(1, "Port.", alias="listenPort", minimum=0)


@dataclass(frozen=True, slots=True)
class StoreConfig:
    root: Path = setting(Path("store"), "Root.", alias="storePathRootDir")


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    name_servers: str = setting("", "Where.", alias="namesrvAddr", environment="NAMESRV_ADDR")
    listen: ListenConfig = group(ListenConfig, port=10911)
    store: StoreConfig = group(StoreConfig)


def broker(flags: Flags, *, client_variables: bool = False) -> BrokerConfig:
    sections = {"broker": BrokerConfig()}
    with configured(sections, flags, client_variables=client_variables) as resolved:
        return resolved.config(BrokerConfig)


def test_without_a_word_data_goes_to_the_users_data_directory() -> None:
    assert broker(Flags()).store.root == store_in(default_data_directory())


def test_flags_win_over_the_environment_and_that_over_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "broker.conf"
    file.write_text(f"listenPort=1001\nstorePathRootDir={tmp_path / 'conf'}\n")
    flags = Flags(files=[file])
    assert broker(flags).listen.port == 1001
    assert broker(flags).store.root == tmp_path / "conf"
    monkeypatch.setenv("POCKETMQ_LISTEN_PORT", "1002")
    assert broker(flags).listen.port == 1002
    option = Entry("broker.listen.port", "1003", "--broker-port")
    assert broker(Flags(files=[file], extra=[option])).listen.port == 1003
    flags = Flags(files=[file], extra=[option], sets=["listenPort=1004"], data=tmp_path)
    assert broker(flags).listen.port == 1004
    assert broker(flags).store.root == tmp_path / "store"


def test_a_directory_that_is_a_store_already_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "commitlog").mkdir()
    assert broker(Flags(data=tmp_path)).store.root == tmp_path


def test_the_host_flag_is_for_every_server() -> None:
    assert broker(Flags(host="0.0.0.0")).listen.host == "0.0.0.0"


def test_the_clients_variable_counts_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NAMESRV_ADDR", "elsewhere:9876")
    assert broker(Flags()).name_servers == ""
    assert broker(Flags(), client_variables=True).name_servers == "elsewhere:9876"


def test_an_ephemeral_directory_is_gone_afterwards() -> None:
    with ephemeral_directory() as directory:
        (directory / "file").write_text("x")
        assert directory.is_dir()
    assert not directory.exists()
    with configured({"broker": BrokerConfig()}, Flags(ephemeral=True)) as resolved:
        assert resolved.config(BrokerConfig).store.root.parent.is_dir()
    assert not resolved.config(BrokerConfig).store.root.parent.exists()


def test_an_ephemeral_directory_is_in_memory_where_there_is_room() -> None:
    with ephemeral_directory(room_bytes=0) as directory:
        assert (directory.parent == SHARED_MEMORY) == os.access(SHARED_MEMORY, os.W_OK | os.X_OK)
    with ephemeral_directory(room_bytes=2**62) as directory:
        assert directory.parent != SHARED_MEMORY
        assert directory.is_dir()


def test_ephemeral_data_cannot_be_kept() -> None:
    with (
        pytest.raises(ConfigError, match="give only one"),
        configured({"broker": BrokerConfig()}, Flags(ephemeral=True, data=Path("x"))),
    ):
        pass
