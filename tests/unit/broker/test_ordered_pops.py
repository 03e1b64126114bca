"""What ordered pops hold, in the file that Apache writes and reads too."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocketmq.broker.state.ordered_pops import OrderTable, held
from pocketmq.broker.state.table_file import TableFile
from pocketmq.clock import ManualClock
from pocketmq.errors import CorruptStore

BY_APACHE = """{
\t"table":{
\t\t"T@g":{0:{
\t\t\t\t"a":"attempt-1",
\t\t\t\t"cm":1,
\t\t\t\t"i":12000,
\t\t\t\t"l":1795287997972,
\t\t\t\t"o":[
\t\t\t\t\t7,
\t\t\t\t\t1,
\t\t\t\t\t3
\t\t\t\t],
\t\t\t\t"oc":{8:2},
\t\t\t\t"ot":{10:1795288000000},
\t\t\t\t"popTime":1795287997906
\t\t\t},12:{
\t\t\t\t"cm":0,
\t\t\t\t"i":60000,
\t\t\t\t"l":5,
\t\t\t\t"o":[
\t\t\t\t\t4
\t\t\t\t],
\t\t\t\t"popTime":4
\t\t\t}
\t\t}
\t}
}"""


def table_in(directory: Path) -> OrderTable:
    file = TableFile(directory / "consumerOrderInfo.json")
    return OrderTable(ManualClock(), file=file)


def test_the_file_of_an_apache_broker_is_read(tmp_path: Path) -> None:
    (tmp_path / "consumerOrderInfo.json").write_text(BY_APACHE)
    table = table_in(tmp_path)
    table.load()
    out, other = table.find("T", "g", 0), table.find("T", "g", 12)
    assert out is not None and other is not None
    assert out.offsets == [7, 8, 10]
    assert (out.pop_time_ms, out.invisible_ms) == (1795287997906, 12_000)
    assert (out.attempt_id, out.next_offset) == ("attempt-1", 8)
    assert (out.counts, out.visible_at) == ({8: 2}, {10: 1795288000000})
    assert (other.offsets, other.next_offset, other.counts) == ([4], 4, {})


def test_what_is_written_is_read_and_has_numbers_for_keys_as_apaches(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    table.popped("T", "g", 3, held([5, 6], 1000, 2000, None))
    table.popped("T", "g", 3, held([5, 6, 9], 4000, 2000, "x"))
    out = table.find("T", "g", 3)
    assert out is not None
    table.acknowledge(out, 5)
    table.hide(out, 6, 9000)
    text = table.encode()
    assert b'"T@g":{3:{' in text
    assert b'"oc":{5:1,6:1}' in text
    assert b'"ot":{6:9000}' in text
    (tmp_path / "consumerOrderInfo.json").write_bytes(text)
    again = table_in(tmp_path)
    again.load()
    assert again.find("T", "g", 3) == out


@pytest.mark.parametrize("text", ["{", "[]", '{"table":{"T@g":{"x":{"o":[1]}}}}', '{"table":7}'])
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "consumerOrderInfo.json").write_text(text)
    with pytest.raises(CorruptStore, match=r"consumerOrderInfo\.json"):
        table_in(tmp_path).load()
