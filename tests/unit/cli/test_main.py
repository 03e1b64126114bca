"""The edge of the command line: one line for a failure, exit code 2, no traceback."""

from __future__ import annotations

import pytest

from pocketmq.cli import main as entry


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        entry.main(arguments)
    out, err = capsys.readouterr()
    code = caught.value.code
    return (code if isinstance(code, int) else 0), out, err


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (["--set", "fileReservedTime=soon"], "must be a whole number, or a duration like 30s"),
        (["--set", "fileReservedTime"], "name=value"),
        (["--broker-port", "70000"], "--broker-port: broker.listen.port = '70000' must be at most"),
        (["-c", "/nowhere/broker.conf"], "check the path after -c"),
        (["--set", "deleteWhen=noon"], "deleteWhen = 'noon' must be hours from 00 to 23"),
        (["--set", "deleteWhen=04;24"], "'24' is none; the default is 04"),
        (["--set", "messageDelayLevel=1s 5x"], "must be delays such as 5s, 10m, 2h or 1d"),
        (["--set", "messageDelayLevel=1s -5s"], "'-5s' is none"),
        (["--set", "messageDelayLevel= "], "at least one delay"),
        (["--set", "brokerIP1=not..a.host"], "must be an IP address, the name of a host, or auto"),
        (["--set", "brokerIP1=two words"], "must be an IP address"),
        (["--ephemeral", "--data", "x"], "give only one of them"),
        (["--log-level", "loud"], "See pocketmq broker --help."),
        (["--no-such-flag"], "See pocketmq broker --help."),
    ],
)
def test_a_bad_argument_is_one_line_with_the_cure(
    capsys: pytest.CaptureFixture[str], arguments: list[str], cure: str
) -> None:
    code, out, err = run(capsys, "broker", *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("pocketmq: ")
    assert cure in err
    assert err.count("\n") == 1


def test_the_version_says_how_this_build_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "version")
    assert code == 0
    assert out.startswith("PocketMQ ")
    assert "leaves" in out
    assert "uvloop" in out or "asyncio" in out


def test_every_command_is_listed_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in ("up", "nameserver", "broker", "hello", "version"):
        assert f"\n  {name} " in out
