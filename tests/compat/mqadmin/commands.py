"""The mqadmin commands of the sweep, in the order in which they are run on both clusters.

`{…}` stands for what differs between two clusters: see `Place`. A command that is marked with a
reason answers differently here on purpose; `then` says what is compared of it all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.compat.mqadmin.printed import (
    header,
    keys_of,
    no_rates,
    outcome,
    running,
    shared_settings,
    without_evaluation,
    without_numbers,
    without_retry_topic,
    without_system_topics,
)

CLUSTER: Final = "InteropCluster"
BROKER: Final = "broker-a"
ORDERS: Final = "sweep_Orders"
EVENTS: Final = "sweep_Events"
READERS: Final = "sweep_readers"
SLEEPERS: Final = "sweep_sleepers"
PRODUCERS: Final = "sweep_producers"
TRACES: Final = "sweep_Traces"

View = Callable[[str, str], object]
"""What is compared of what one side printed, given what the other did."""


@dataclass(frozen=True)
class Place:
    """What a command needs to know of the cluster that it is run on."""

    name_server: str
    broker: str
    work: Path
    offset_id: str = ""
    event_id: str = ""
    unique_key: str = ""
    consumer: str = ""

    def words(self, line: str) -> list[str]:
        """The words of a command; blanks between braces do not split."""
        known = {
            "b": self.broker,
            "n": self.name_server,
            "work": str(self.work),
            "offset_id": self.offset_id,
            "unique_key": self.unique_key,
            "consumer": self.consumer,
        }
        words = [re.sub(r"\{(\w+)\}", lambda m: known[m[1]], word) for word in line.split()]
        return [*words, "-n", self.name_server]


@dataclass(frozen=True)
class Step:
    """One command. `view` is what is compared of what it prints; by default everything."""

    name: str
    line: str
    view: View | None = None
    because: str = ""


def _same(*lines: str) -> Iterable[Step]:
    for place, line in enumerate(lines):
        again = lines[:place].count(line)
        yield Step(f"{line} ({again + 1})" if again else line, line)


def _alike(view: View, because: str, *lines: str) -> Iterable[Step]:
    for line in lines:
        yield Step(line, line, view, because)


NO_AUTHENTICATION: Final = "both refuse, as access control is off, with different remarks"

SETTING_UP: Final[tuple[Step, ...]] = tuple(
    _same(
        f"updateTopic -c {CLUSTER} -t {ORDERS} -r 4 -w 4",
        f"updateTopic -b {{b}} -t {EVENTS} -r 2 -w 2 -p 6",
        f"updateTopic -b {{b}} -t {TRACES} -r 1 -w 1",
        f"updateSubGroup -b {{b}} -g {SLEEPERS} -s true -m false -r 5",
        f"updateSubGroup -c {CLUSTER} -g {READERS}",
    )
)

LOOKING: Final[tuple[Step, ...]] = (
    *_same(
        f"topicRoute -t {ORDERS}",
        f"topicRoute -t {ORDERS} -l",
        "topicRoute -t sweep_Missing",
        f"topicStatus -t {ORDERS}",
        f"topicStatus -t {EVENTS} -c {CLUSTER}",
        f"topicClusterList -t {ORDERS}",
        f"allocateMQ -t {ORDERS} -i 10.0.0.1,10.0.0.2",
        "consumerProgress -g sweep_nobody",
        f"consumerConnection -g {READERS}",
        f"consumerConnection -g {READERS} -b {{b}}",
        f"consumerConnection -g {SLEEPERS}",
        f"consumerStatus -g {READERS}",
        f"producerConnection -g {PRODUCERS} -t {ORDERS}",
        "producerConnection -g sweep_nobody -t " + ORDERS,
        "producer -b {b}",
        f"getConsumerConfig -g {SLEEPERS}",
        "getConsumerConfig -g sweep_nobody",
        "brokerConsumeStats -b {b}",
        "brokerConsumeStats -b {b} -o true",
        "brokerConsumeStats -b {b} -l 1",
        f"queryMsgById -i {{offset_id}} -t {ORDERS}",
        f"queryMsgById -i 7F000001000000000000000000000001 -t {ORDERS}",
        f"queryMsgByKey -t {ORDERS} -k needle",
        f"queryMsgByKey -t {ORDERS} -k haystack",
        f"queryMsgByUniqueKey -t {ORDERS} -i {{unique_key}}",
        f"queryMsgByUniqueKey -t {ORDERS} -i {{unique_key}} -a",
        f"queryMsgTraceById -i {{unique_key}} -t {TRACES}",
        f"queryMsgTraceById -i 7F000001000000000000000000000001 -t {TRACES}",
        f"queryMsgByOffset -t {ORDERS} -b {BROKER} -i 0 -o 0",
        f"queryMsgByOffset -t {ORDERS} -b {BROKER} -i 0 -o 999",
        f"queryMsgById -i {{offset_id}} -t {ORDERS} -g {SLEEPERS} -d {{consumer}}",
        f"printMsg -t {ORDERS} -d true",
        f"printMsg -t {ORDERS} -s TagB -d true",
        f"printMsgByQueue -t {ORDERS} -a {BROKER} -i 0 -p true -d true",
        f"printMsgByQueue -t {ORDERS} -a {BROKER} -i 0 -f true",
        f"consumeMessage -t {ORDERS} -b {BROKER} -i 1 -o 0 -c 2",
        f"queryCq -b {{b}} -t {ORDERS} -q 0 -i 0 -c 3",
        f"queryCq -b {{b}} -t {ORDERS} -q 9 -i 0 -c 3",
        "haStatus -b {b}",
        f"haStatus -c {CLUSTER}",
    ),
    *_alike(
        without_system_topics,
        "system topics are not the same ones",
        "topicList",
        "topicList -c",
        "exportMetadata -c InteropCluster -f {work}/metadata",
        "exportMetadata -b {b} -t -f {work}/topics",
        "exportMetadata -b {b} -g -f {work}/groups",
        "exportMetadata -b {b} -t -s -f {work}/special",
        "exportConfigs -c InteropCluster -f {work}/configs",
        "exportMetrics -c InteropCluster -f {work}/metrics",
    ),
    *_alike(
        without_retry_topic,
        "a consumer joins the queues of its retry topic some time after its start",
        f"consumerProgress -g {READERS}",
        f"consumerProgress -g {READERS} -t {EVENTS}",
        f"consumerProgress -g {READERS} -s true",
    ),
    *_alike(running, "objects have addresses", f"consumerStatus -g {READERS} -i {{consumer}}"),
    *_alike(no_rates, "rates differ", "statsAll", f"statsAll -t {EVENTS}", "consumerProgress"),
    *_alike(header, "topics are active by the minute", "statsAll -a"),
    *_alike(without_numbers, "figures differ", "clusterList", "clusterList -m"),
    *_alike(
        without_evaluation,
        "Apache evaluates only where it keeps bit maps beside its queues",
        f"queryCq -b {{b}} -t {EVENTS} -q 0 -i 0 -c 2 -g {READERS}",
    ),
    *_alike(keys_of, "figures differ", "brokerStatus -b {b}", f"brokerStatus -c {CLUSTER}"),
    *_alike(
        shared_settings,
        "not the same settings exist",
        "getBrokerConfig -b {b}",
        f"getBrokerConfig -c {CLUSTER}",
        "getNamesrvConfig",
    ),
)

CHANGING: Final[tuple[Step, ...]] = (
    *_same(
        f"sendMessage -t {ORDERS} -p hello -k admin-key -c TagA -b {BROKER} -i 1",
        f"sendMessage -t {ORDERS} -p second -b {BROKER} -i 9",
        "sendMessage -t sweep_Missing$ -p second",
        f"checkMsgSendRT -t {ORDERS} -a 3 -s 64",
        f"sendMsgStatus -b {BROKER} -s 64 -c 2",
        f"setConsumeMode -b {{b}} -t {ORDERS} -g {SLEEPERS} -m POP -q 2",
        f"setConsumeMode -c {CLUSTER} -t {ORDERS} -g {SLEEPERS} -m PULL",
        f"resetOffsetByTime -g {READERS} -t {EVENTS} -s 0",
        f"resetOffsetByTime -g {SLEEPERS} -t {EVENTS} -s now",
        f"resetOffsetByTime -g {SLEEPERS} -t {EVENTS} -s -1 -b {{b}} -q 0 -o 1",
        f"resetOffsetByTime -g {SLEEPERS} -t sweep_Missing -s 0",
        f"resetOffsetByTime -g sweep_nobody -t {EVENTS} -s 0",
        f"skipAccumulatedMessage -g {SLEEPERS} -t {EVENTS}",
        f"consumerProgress -g {SLEEPERS}",
        f"cloneGroupOffset -s {SLEEPERS} -d {READERS} -t {EVENTS} -o true",
        f"cloneGroupOffset -s {SLEEPERS} -d sweep_copies -t {EVENTS} -o true",
        "consumerProgress -g sweep_copies",
        f"updateTopicPerm -b {{b}} -t {ORDERS} -p 4",
        f"topicRoute -t {ORDERS} -l",
        f"sendMessage -t {ORDERS} -p refused -b {BROKER} -i 1",
        f"updateTopicPerm -c {CLUSTER} -t {ORDERS} -p 6",
        f"updateTopicPerm -c {CLUSTER} -t {ORDERS} -p 6",
        f"updateTopic -c {CLUSTER} -t sweep_Made -r 2 -w 2 -o true -a +message.type=FIFO",
        "updateTopic -b {b} -t sweep_Wrong -r 2 -w 2 -a +message.type=NONSENSE",
        "updateTopic -b {b} -t sweep_Wrong -r 2 -w 2 -a +nonsense=1",
        "updateTopic -b {b} -t sweep$Wrong -r 2 -w 2",
        "updateTopic -b {b} -t TBW102 -r 2 -w 2",
        "updateOrderConf -t sweep_Made -m get",
        f"updateOrderConf -t sweep_Made -m put -v {BROKER}:2",
        "updateOrderConf -t sweep_Made -m get",
        "updateOrderConf -t sweep_Made -m delete",
        "updateTopicList -b {b} -f {work}/topics.json",
        "topicRoute -t sweep_Listed1",
        "updateSubGroupList -b {b} -f {work}/groups.json",
        "getConsumerConfig -g sweep_listed2",
        "updateKvConfig -s SWEEP -k colour -v blue",
        "deleteKvConfig -s SWEEP -k colour",
        "deleteKvConfig -s SWEEP -k colour",
        f"wipeWritePerm -b {BROKER}",
        f"topicRoute -t {ORDERS} -l",
        f"addWritePerm -b {BROKER}",
        "wipeWritePerm -b sweep_nobody",
        "updateBrokerConfig -b {b} -k fileReservedTime -v 48",
        "updateBrokerConfig -c InteropCluster -k autoCreateTopicEnable -v false",
        "sendMessage -t sweep_Uncreated -p refused",
        "updateBrokerConfig -b {b} -k autoCreateTopicEnable -v true",
        "updateBrokerConfig -b {b} -k brokerConfigPath -v {work}/evil",
        "updateNamesrvConfig -k notifyMinBrokerIdChanged -v false",
        "updateNamesrvConfig -k kvConfigPath -v {work}/evil",
        "cleanExpiredCQ -b {b}",
        f"cleanExpiredCQ -c {CLUSTER}",
        "cleanUnusedTopic -b {b}",
        "deleteExpiredCommitLog -b {b}",
        f"deleteSubGroup -b {{b}} -g {SLEEPERS} -r true",
        f"consumerProgress -g {SLEEPERS}",
        f"deleteSubGroup -c {CLUSTER} -g sweep_copies -r true",
        f"deleteTopic -c {CLUSTER} -t sweep_Made",
        "topicRoute -t sweep_Made",
        f"deleteTopic -c {CLUSTER} -t sweep_NeverMade",
        "notACommand",
    ),
    *_alike(
        outcome,
        NO_AUTHENTICATION,
        "createUser -b {b} -u sweep -p secret12 -t Normal",
        "updateUser -b {b} -u sweep -s disable",
        "getUser -b {b} -u sweep",
        "listUser -b {b}",
        "deleteUser -b {b} -u sweep",
        f"createAcl -b {{b}} -s User:sweep -r Topic:{ORDERS} -a Pub -d ALLOW",
        f"updateAcl -b {{b}} -s User:sweep -r Topic:{ORDERS} -a Pub -d ALLOW",
        "getAcl -b {b} -s User:sweep",
        "listAcl -b {b}",
        "deleteAcl -b {b} -s User:sweep",
    ),
)

REFUSED_HERE: Final[tuple[Step, ...]] = tuple(
    _same(
        "getColdDataFlowCtrInfo -b {b}",
        f"updateColdDataFlowCtrGroupConfig -b {{b}} -g {READERS} -v 1024",
        f"removeColdDataFlowCtrGroupConfig -b {{b}} -g {READERS}",
        "setCommitLogReadAheadMode -b {b} -m 1",
        "resetMasterFlushOffset -b {b} -o 0",
        "getBrokerEpoch -b broker-a",
        f"updateStaticTopic -c {CLUSTER} -t sweep_Static -qn 4",
        "exportPopRecord -b {b}",
        f"rocksDBConfigToJson -c {CLUSTER} -t topics",
        "getControllerMetaData -a {n}",
        "getControllerConfig -a {n}",
        "updateControllerConfig -a {n} -k enableElectUncleanMaster -v true",
        "getSyncStateSet -a {n} -b broker-a",
        f"electMaster -a {{n}} -b 1 -bn {BROKER} -c {CLUSTER}",
        f"cleanBrokerMetadata -a {{n}} -bn {BROKER} -c {CLUSTER} -l",
        f"checkRocksdbCqWriteProgress -c {CLUSTER}",
        "addBroker -c {b} -b {work}/broker.conf",
        f"removeBroker -c {{b}} -b {CLUSTER}:{BROKER}:1",
        "updateBrokerConfig -b {b} -k noSuchSetting -v 1",
    )
)

STEPS: Final = (*LOOKING, *CHANGING)


def input_files(work: Path) -> None:
    """Write the lists that updateTopicList and updateSubGroupList read."""
    topics = [
        {"topicName": f"sweep_Listed{n}", "readQueueNums": n, "writeQueueNums": n, "perm": 6}
        for n in (1, 2)
    ]
    groups = [{"groupName": f"sweep_listed{n}", "retryMaxTimes": n} for n in (1, 2)]
    (work / "topics.json").write_text(json.dumps(topics), encoding="utf-8")
    (work / "groups.json").write_text(json.dumps(groups), encoding="utf-8")
