"""Topics and who offers them, against a plain model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pocketmq.nameserver.topic_table import TopicTable
from pocketmq.protocol.bodies.route import QueueData

names = st.sampled_from(["a", "b", "c"])
topics = st.sampled_from(["T1", "T2", "T3", "T4"])
changes = st.one_of(
    st.tuples(st.just("put"), topics, names, st.integers(0, 7)),
    st.tuples(st.just("remove at"), topics, names),
    st.tuples(st.just("remove"), topics),
    st.tuples(st.just("remove broker"), names),
    st.tuples(st.just("wipe"), names),
    st.tuples(st.just("allow"), names),
)


@given(st.lists(changes, max_size=30))
def test_a_table_agrees_with_a_plain_map_of_pairs(steps: list[tuple[str, ...]]) -> None:
    table = TopicTable()
    model: dict[tuple[str, str], int] = {}
    for kind, *rest in steps:
        match kind, rest:
            case "put", [topic, broker, perm]:
                table.put(topic, QueueData(broker, 4, 4, int(perm)))
                model[topic, broker] = int(perm)
            case "remove at", [topic, broker]:
                table.remove(topic, (broker,))
                model.pop((topic, broker), None)
            case "remove", [topic]:
                table.remove(topic)
                model = {key: perm for key, perm in model.items() if key[0] != topic}
            case "remove broker", [broker]:
                table.remove_broker(broker)
                model = {key: perm for key, perm in model.items() if key[1] != broker}
            case "wipe", [broker]:
                count = sum(key[1] == broker for key in model)
                assert table.wipe_write(broker) == count
                model = {k: perm & ~2 if k[1] == broker else perm for k, perm in model.items()}
            case "allow", [broker]:
                count = sum(key[1] == broker for key in model)
                assert table.allow_write(broker) == count
                model = {k: 6 if k[1] == broker else perm for k, perm in model.items()}
    held = {(topic, q.broker_name): q.perm for topic in table for q in table.queues(topic)}
    assert held == model
    assert len(table) == len({topic for topic, _ in model})
    for broker in "abc":
        assert set(table.topics_of(broker)) == {topic for topic, name in model if name == broker}
    assert all(table.is_at(topic, broker) for topic, broker in model)
