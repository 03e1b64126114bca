"""Key-value settings and their file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pocketmq.errors import ConfigError
from pocketmq.nameserver.kv_table import KvFile, KvTable


def test_settings_are_put_replaced_and_deleted() -> None:
    table = KvTable()
    table.put("n", "k", "1")
    table.put("n", "k", "2")
    table.put("n", "other", "3")
    assert table.get("n", "k") == "2"
    assert (table.get("n", "x"), table.get("x", "k")) == (None, None)
    assert len(table) == 2
    assert table.delete("n", "k")
    assert not table.delete("n", "k")
    assert not table.delete("x", "k")
    assert table.namespace("n") == {"other": "3"}
    assert table.namespace("x") is None
    assert len(table) == 1


def test_an_emptied_namespace_is_empty_rather_than_unknown() -> None:
    table = KvTable()
    table.put("n", "k", "1")
    table.delete("n", "k")
    assert table.namespace("n") == {}


def test_settings_survive_in_a_file_of_apaches_form(tmp_path: Path) -> None:
    file = KvFile(tmp_path / "namesrv" / "kvConfig.json")
    table, again = KvTable(), KvTable()
    file.load_into(again)
    assert len(again) == 0
    table.put("ORDER_TOPIC_CONFIG", "Örders", "broker-a:8;broker-b:8")
    file.replace(table.encode())
    document = json.loads(file.path.read_text("utf-8"))
    assert document == {"configTable": {"ORDER_TOPIC_CONFIG": {"Örders": "broker-a:8;broker-b:8"}}}
    file.load_into(again)
    assert again.get("ORDER_TOPIC_CONFIG", "Örders") == "broker-a:8;broker-b:8"
    assert len(again) == 1
    assert list(file.path.parent.iterdir()) == [file.path]


def test_a_file_as_apache_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kvConfig.json"
    path.write_text('{\n\t"configTable":{"GOLDEN":{"colour":"blue","n":7\n\t\t}\n\t}\n}')
    table = KvTable()
    KvFile(path).load_into(table)
    assert table.namespace("GOLDEN") == {"colour": "blue", "n": "7"}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"configTable":{"n":"x"}}', "\x00\x01"])
def test_a_damaged_file_is_named_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kvConfig.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"kvConfig\.json cannot be read .* correct the file"):
        KvFile(path).load_into(KvTable())
    assert path.read_text() == content


def test_an_empty_file_is_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "kvConfig.json"
    path.touch()
    table = KvTable()
    KvFile(path).load_into(table)
    assert len(table) == 0
