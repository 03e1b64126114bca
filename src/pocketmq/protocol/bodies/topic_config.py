"""How topics are set up: one topic, the whole table, and lists of names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pocketmq.errors import MalformedBody
from pocketmq.protocol.bodies.documents import Document
from pocketmq.protocol.bodies.fastjson import dumps_plain, loads
from pocketmq.protocol.bodies.static_topics import TopicQueueMapping, TopicQueueMappingDetail
from pocketmq.protocol.bodies.versions import DataVersion

FILTER_TYPES = ("SINGLE_TAG", "MULTI_TAG")
UNIT_FLAG = 1
UNIT_SUBSCRIPTION_FLAG = 2


@dataclass(frozen=True, slots=True)
class TopicConfig(Document):
    """One topic of a broker. `perm` has the bits of `pocketmq.message.topics`."""

    topic_name: str = ""
    read_queue_nums: int = 16
    write_queue_nums: int = 16
    perm: int = 6
    topic_filter_type: str = "SINGLE_TAG"
    topic_sys_flag: int = 0
    order: bool = False
    attributes: dict[str, str] = field(default_factory=dict)

    plain_keys: ClassVar[bool] = True

    def with_perm(self, perm: int) -> TopicConfig:
        """The same topic with other permissions."""
        return replace(self, perm=perm)

    def to_line(self) -> str:
        """The text form of compressed registrations; it has no `order` and no system flag."""
        return (
            f"{self.topic_name} {self.read_queue_nums} {self.write_queue_nums} {self.perm} "
            f"{self.topic_filter_type} {dumps_plain(self.attributes).decode()}"
        )

    @classmethod
    def from_line(cls, line: str) -> TopicConfig:
        """The topic of a text line. Raise MalformedBody when it is none."""
        parts = line.split(" ", 5)
        try:
            name, read, write, perm, filter_type = parts[:5]
            attributes = loads(parts[5]) if len(parts) > 5 and parts[5].strip() else {}
            texts = {str(key): str(value) for key, value in attributes.items()}
            return cls(name, int(read), int(write), int(perm), filter_type, attributes=texts)
        except (ValueError, AttributeError):
            raise MalformedBody(f"a topic line cannot be read: {line[:80]!r}") from None


@dataclass(frozen=True, slots=True)
class TopicConfigTable(Document):
    """All topics of a broker: body of the answer to GET_ALL_TOPIC_CONFIG (21), part of 103."""

    topic_config_table: dict[str, TopicConfig] = field(default_factory=dict)
    data_version: DataVersion = DataVersion()  # noqa: RUF009 - immutable
    mapping_data_version: DataVersion = DataVersion()  # noqa: RUF009 - immutable
    topic_queue_mapping_info_map: dict[str, TopicQueueMapping] = field(default_factory=dict)
    topic_queue_mapping_detail_map: dict[str, TopicQueueMappingDetail] = field(default_factory=dict)

    request_chars_max: ClassVar[int] = 8 * 1024 * 1024

    def to_json(self) -> bytes:
        """The table as Apache would write it. Only static topics need its odd keys."""
        if self.topic_queue_mapping_info_map or self.topic_queue_mapping_detail_map:
            return super(TopicConfigTable, self).to_json()
        return dumps_plain(self.to_tree())


@dataclass(frozen=True, slots=True)
class TopicConfigAndMapping(Document):
    """Body of the answer to GET_TOPIC_CONFIG (351): a topic, and its mapping when it is static."""

    topic_name: str = ""
    read_queue_nums: int = 16
    write_queue_nums: int = 16
    perm: int = 6
    topic_filter_type: str = "SINGLE_TAG"
    topic_sys_flag: int = 0
    order: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    mapping_detail: TopicQueueMappingDetail | None = None


@dataclass(frozen=True, slots=True)
class TopicConfigList(Document):
    """Body of UPDATE_AND_CREATE_TOPIC_LIST (18)."""

    topic_config_list: tuple[TopicConfig, ...] = ()

    plain_keys: ClassVar[bool] = True
    request_chars_max: ClassVar[int] = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TopicList(Document):
    """Names of topics: 206, 224, 304, 305, 311 to 313, 343."""

    topic_list: tuple[str, ...] = ()
    broker_addr: str | None = None

    plain_keys: ClassVar[bool] = True


def parse_attribute_changes(text: str | None) -> dict[str, str]:
    """`+message.type=FIFO,-reserve.time` as a map whose keys keep their sign.

    Raise ValueError, which names the odd part, when the text cannot be understood.
    """
    changes: dict[str, str] = {}
    for part in (text or "").split(","):
        name, equals, value = part.strip().partition("=")
        if not name:
            continue
        if name[0] not in "+-" or len(name) < 2 or (name[0] == "+") != bool(equals):
            raise ValueError(f"the attribute {part!r} is neither +name=value nor -name")
        if name in changes:
            raise ValueError(f"the attribute {name!r} is given twice")
        changes[name] = value.strip()
    return changes


def apply_attribute_changes(attributes: dict[str, str], changes: dict[str, Any]) -> dict[str, str]:
    """`attributes` after signed changes as `parse_attribute_changes` returns them."""
    result = dict(attributes)
    for name, value in changes.items():
        if name.startswith("-"):
            result.pop(name[1:], None)
        else:
            result[name[1:]] = str(value)
    return result
