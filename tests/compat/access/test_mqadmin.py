"""mqadmin's commands for users and policies print the same in front of Apache and of us."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.compat.access.guarded import ROOT, Guarded
from tests.compat.mqadmin.clusters import mqadmin
from tests.compat.mqadmin.printed import normal
from tests.support.clients.driver import Driver

from pocketmq.security import Credentials

CLUSTER = "InteropCluster"
STEPS = (
    "createUser -b {b} -u mq_amy -p amy-secret -t Normal",
    f"createUser -c {CLUSTER} -u mq_ben -p ben-secret",
    "createUser -b {b} -u mq_amy -p again",
    "createUser -b {b} -u mq_sue -p sue-secret -t super",
    "updateUser -b {b} -u mq_amy -p fresh",
    f"updateUser -c {CLUSTER} -u mq_amy -s disable",
    "updateUser -b {b} -u mq_ben -t Super",
    "updateUser -b {b} -u mq_nobody -p x",
    "getUser -b {b} -u mq_amy",
    f"getUser -c {CLUSTER} -u mq_ben",
    "getUser -b {b} -u mq_nobody",
    "listUser -b {b} -f mq_",
    f"listUser -c {CLUSTER} -f mq_s",
    "listUser -b {b} -f mq_nobody",
    "createAcl -b {b} -s User:mq_amy -r Topic:a,Group:b* -a Pub,sub -i 10.0.0.0/8,::1 -d ALLOW",
    f"createAcl -c {CLUSTER} -s User:mq_ben -r * -a All -d Deny",
    "createAcl -b {b} -s User:mq_nobody -r Topic:a -a Pub -d Allow",
    "createAcl -b {b} -s User:mq_amy -r Topic:c -a Any -d Allow",
    "createAcl -b {b} -s User:mq_amy -r Topic:c -a Pub -i elsewhere -d Allow",
    "updateAcl -b {b} -s User:mq_amy -r Topic:a -a Get -d deny",
    f"updateAcl -c {CLUSTER} -s User:mq_amy -r Cluster:* -a Get,List -d Allow",
    "getAcl -b {b} -s User:mq_amy",
    f"getAcl -c {CLUSTER} -s User:mq_ben",
    "getAcl -b {b} -s User:mq_sue",
    "getAcl -b {b} -s User:mq_nobody",
    "listAcl -b {b} -s mq_",
    f"listAcl -c {CLUSTER} -s mq_a -r Topic",
    "listAcl -b {b} -s mq_nobody",
    "copyUser -f {b} -t {b} -u mq_amy,mq_sue",
    "copyAcl -f {b} -t {b} -s User:mq_amy",
    "deleteAcl -b {b} -s User:mq_amy -r Group:b*",
    "getAcl -b {b} -s User:mq_amy",
    "deleteAcl -b {b} -s User:mq_amy -r Topic:never",
    f"deleteAcl -c {CLUSTER} -s User:mq_amy",
    "deleteAcl -b {b} -s User:mq_amy",
    "deleteUser -b {b} -u mq_ben",
    "listAcl -b {b} -s mq_",
    f"deleteUser -c {CLUSTER} -u mq_nobody",
    "deleteUser -b {b} -u mq_sue",
    "deleteUser -b {b} -u mq_amy",
    "listUser -b {b} -f mq_",
)


@pytest.fixture(scope="module")
def tool(both: dict[str, Guarded], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """A running mqadmin."""
    driver = Driver("mqadmin", mqadmin(), tmp_path_factory.mktemp("mqadmin"))
    driver.request("run", words=["help", "topicRoute"])  # it prints about its logging once
    yield driver
    driver.close()


def run(tool: Driver, cluster: Guarded, line: str, by: Credentials | None = ROOT) -> str:
    """What a command prints here, made comparable."""
    words = [*line.replace("{b}", cluster.broker).split(), "-n", cluster.name_server]
    keys = {} if by is None else {"access_key": by.access_key, "secret_key": by.secret_key}
    return normal(tool.request("run", words=words, **keys)["printed"])


@pytest.fixture(scope="module")
def printed(both: dict[str, Guarded], tool: Driver) -> dict[str, list[str]]:
    """What each command printed on each side."""
    return {kind: [run(tool, one, line) for line in STEPS] for kind, one in both.items()}


@pytest.mark.parametrize("place", range(len(STEPS)), ids=STEPS)
def test_a_command_prints_what_it_prints_in_front_of_apache(
    place: int, printed: dict[str, list[str]]
) -> None:
    assert printed["pocketmq"][place] == printed["apache"][place]


def test_what_is_printed_says_something(printed: dict[str, list[str]]) -> None:
    shown = "\n".join(printed["pocketmq"])
    for words in ("fresh", "disable", "Super", "User:mq_amy", "Topic:a", "Group:b*", "CODE: 16"):
        assert words in shown


def test_without_keys_the_tool_is_refused(both: dict[str, Guarded], tool: Driver) -> None:
    said = {kind: run(tool, one, "listUser -b {b}", by=None) for kind, one in both.items()}
    assert "CODE: 16" in said["pocketmq"]
    assert said["pocketmq"] == said["apache"]


def test_users_and_policies_move_from_apache_to_us(both: dict[str, Guarded], tool: Driver) -> None:
    theirs, ours = both["apache"], both["pocketmq"]
    for line in (
        "createUser -b {b} -u mq_mover -p mover-secret -t Normal",
        "createAcl -b {b} -s User:mq_mover -r Topic:moved*,Group:m -a Sub -i 127.0.0.1 -d Allow",
        f"copyUser -f {{b}} -t {ours.broker} -u mq_mover",
        f"copyAcl -f {{b}} -t {ours.broker} -s User:mq_mover",
    ):
        run(tool, theirs, line)
    for line in ("getUser -b {b} -u mq_mover", "getAcl -b {b} -s User:mq_mover"):
        moved = run(tool, ours, line)
        assert moved == run(tool, theirs, line)
        assert "mover-secret" in moved or "Topic:moved*" in moved
