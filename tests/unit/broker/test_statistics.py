"""What went through the broker."""

from __future__ import annotations

from datetime import datetime, timedelta

from pocketmq.broker.state.statistics import Statistics
from pocketmq.clock import ManualClock
from pocketmq.protocol.bodies.stats import BrokerStats


def stepping(clock: ManualClock, statistics: Statistics, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(seconds=1)
        statistics.step()


def figures(statistics: Statistics, name: str, key: str) -> BrokerStats:
    found = statistics.figures(name, key)
    assert found is not None
    return found


def test_a_counter_that_is_added_to_in_place_counts_in_all() -> None:
    statistics = Statistics("C", ManualClock())
    counter = statistics.topic_counter("T")
    counter.messages += 3
    counter.bytes += 300
    statistics.put("U", 1, 50)
    assert statistics.totals.put == 4
    assert statistics.totals.put_bytes == 350


def test_the_minute_forgets_what_the_hour_still_knows() -> None:
    clock = ManualClock()
    statistics = Statistics("C", clock)
    statistics.put("T", 12, 1200)
    stepping(clock, statistics, 20)
    assert figures(statistics, "TOPIC_PUT_NUMS", "T").stats_minute.sum == 12
    assert figures(statistics, "TOPIC_PUT_SIZE", "T").stats_minute.sum == 1200
    assert figures(statistics, "TOPIC_PUT_SIZE", "T").stats_minute.avgpt == 100
    stepping(clock, statistics, 120)
    after = figures(statistics, "TOPIC_PUT_NUMS", "T")
    assert after.stats_minute.sum == 0
    assert after.stats_hour.sum == 12
    assert after.stats_day.sum == 12
    stepping(clock, statistics, 2 * 3600)
    after = figures(statistics, "TOPIC_PUT_NUMS", "T")
    assert (after.stats_hour.sum, after.stats_day.sum) == (0, 12)


def test_a_topic_that_comes_later_counts_from_its_first_message() -> None:
    clock = ManualClock()
    statistics = Statistics("C", clock)
    stepping(clock, statistics, 45)
    statistics.put("T", 6, 600)
    stepping(clock, statistics, 20)
    assert figures(statistics, "TOPIC_PUT_NUMS", "T").stats_minute.sum == 6
    assert figures(statistics, "BROKER_PUT_NUMS", "C").stats_minute.sum == 6


def test_a_steady_stream_has_its_rate_in_every_figure() -> None:
    clock = ManualClock()
    statistics = Statistics("C", clock)
    for _ in range(700):
        statistics.put("T", 5, 500)
        statistics.get("g", "T", 10, 1000)
        statistics.miss()
        stepping(clock, statistics, 1)
    assert [round(rate, 6) for rate in statistics.rates("put")] == [5, 5, 5]
    assert [round(rate, 6) for rate in statistics.rates("transferred")] == [10, 10, 10]
    assert [round(rate, 6) for rate in statistics.rates("found")] == [1, 1, 1]
    assert [round(rate, 6) for rate in statistics.rates("missed")] == [1, 1, 1]
    assert round(statistics.put_tps("T"), 6) == 5
    assert round(statistics.get_tps("g", "T"), 6) == 10
    assert round(figures(statistics, "GROUP_GET_NUMS", "T@g").stats_minute.tps, 6) == 10


def test_what_was_never_counted_has_no_figures() -> None:
    statistics = Statistics("C", ManualClock())
    for name, key in (("TOPIC_PUT_NUMS", "T"), ("NONSENSE", "T"), ("BROKER_PUT_NUMS", "other")):
        assert statistics.figures(name, key) is None
    statistics.add("SNDBCK_PUT_NUMS", "T@g")
    assert statistics.figures("SNDBCK_PUT_NUMS", "T@g") is not None


def test_totals_survive_the_topics_they_came_from() -> None:
    statistics = Statistics("C", ManualClock())
    statistics.put("T", 4, 40)
    statistics.get("g", "T", 4, 40)
    statistics.remove_topic("T")
    assert statistics.figures("TOPIC_PUT_NUMS", "T") is None
    assert statistics.figures("GROUP_GET_NUMS", "T@g") is None
    assert (statistics.totals.put, statistics.totals.transferred) == (4, 4)


def test_counters_are_bounded_and_totals_stay_right() -> None:
    statistics = Statistics("C", ManualClock(), keys_max=2)
    for topic in "ABCD":
        statistics.put(topic, 1, 10)
        statistics.get("g", topic, 1, 10)
    assert (statistics.totals.put, statistics.totals.transferred) == (4, 4)
    assert statistics.figures("TOPIC_PUT_NUMS", "D") is None


def test_totals_are_noted_at_midnight() -> None:
    noon = datetime(2026, 3, 4, 12).timestamp()
    clock = ManualClock(int(noon * 1000))
    statistics = Statistics("C", clock)
    for count in (3, 4, 5):
        statistics.put("T", count, 1)
        clock.advance(hours=24)
        statistics.step()
    statistics.put("T", 6, 1)
    mornings = statistics.mornings
    assert (mornings.put_yesterday, mornings.put_today, mornings.put_now) == (7, 12, 18)
    assert datetime.fromtimestamp(clock.now_ms() / 1000) - datetime(2026, 3, 4, 12) == timedelta(3)


def test_durations_are_counted_in_classes() -> None:
    statistics = Statistics("C", ManualClock())
    for duration_ms in (0, 1, 10, 11, 10_000, 10_001, 99_999):
        statistics.put("T", 2, 10)
        statistics.puts_took(1, duration_ms)
    assert statistics.latency_classes == [8, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert statistics.latency_ms_max == 99_999
