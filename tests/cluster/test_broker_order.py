"""Ordered topics: what an operator tells the name server, the broker learns."""

from __future__ import annotations

from pathlib import Path

from tests.support.local_broker import local_broker
from tests.support.local_cluster import name_server
from tests.support.waiting import until

from pocketmq.broker.config import RegistrationConfig
from pocketmq.protocol.bodies.topic_config import TopicConfig


async def test_a_topic_that_name_servers_list_as_ordered_becomes_so(tmp_path: Path) -> None:
    async with name_server() as names:
        names.kv.put("ORDER_TOPIC_CONFIG", "T", "b:4")
        registration = RegistrationConfig(name_servers=str(names.address))
        async with local_broker(tmp_path, registration=registration) as app:
            topics = app.running.tables.topics
            topics.put(TopicConfig("T"))
            topics.put(TopicConfig("U"))
            app.running.registration.register_now()

            def is_ordered() -> bool:
                topic = topics.find("T")
                return topic is not None and topic.order

            await until(is_ordered)
            other = topics.find("U")
            assert other is not None and not other.order, "only what is listed is ordered"
