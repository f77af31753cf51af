"""The grid: whoever looks, and however often, finds each moment once."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nb_dagster.schedules.policy import Policy, State, admit
from nb_dagster.schedules.timetable import Timetable

ANCHOR = 1_767_247_200.0  # 2026-01-01 06:00 UTC
seconds = st.integers(5, 5_000)
gaps = st.lists(st.floats(0.01, 4_000), min_size=1, max_size=30)


@given(seconds, gaps)
def test_looks_at_any_times_find_each_moment_once_and_none_is_lost(every: int, gaps: list[float]) -> None:
    table = Timetable(every=every)
    seen, found = ANCHOR, list[float]()
    for now in itertools.accumulate(gaps, initial=ANCHOR):
        due = table.between(seen, now, ANCHOR)
        seen, found = max([seen, *due]), found + due
    count = int((now - ANCHOR) // every)
    assert found == [ANCHOR + each * every for each in range(1, count + 1)][-len(found) or count :]


@given(seconds, st.floats(0, 100_000))
def test_the_moments_to_come_are_those_that_will_be_found(every: int, passed: float) -> None:
    table, now = Timetable(every=every), ANCHOR + passed
    coming = list(itertools.islice(table.after(now, ANCHOR), 3))
    assert coming == table.between(now, coming[-1], ANCHOR)


@given(st.integers(0, 10**6), st.sampled_from(["* * * * *", "17 */5 * * *", "0 6 * * 1-5", "30 2 * * *"]))
def test_so_are_those_of_a_cron_over_changes_of_the_clock_too(passed: int, cron: str) -> None:
    table, now = Timetable(cron=cron, timezone="Europe/Berlin"), ANCHOR + 60.0 * passed
    coming = list(itertools.islice(table.after(now, ANCHOR), 3))
    assert coming == table.between(now, coming[-1], ANCHOR)


@given(seconds, gaps)
def test_everything_caught_up_in_a_queue_leaves_none_out(every: int, gaps: list[float]) -> None:
    table, state = Timetable(every=every), State("", ANCHOR, ANCHOR)
    policy = Policy(overlap="queue", catchup="all")
    for now in itertools.accumulate(gaps, initial=ANCHOR):
        state, let_go = admit(state, table.between(state.seen, now, ANCHOR)[-20:], now, policy, "busy")
        assert let_go == {} or len(state.waiting) == 1_000
    assert list(state.waiting) == sorted(set(state.waiting))
