from results.figures.occupancy import busy, lanes, periods


def test_spans_that_overlap_are_in_different_lanes_and_as_few_as_possible() -> None:
    spans = [(0, 10), (0, 4), (4, 8), (5, 6), (10, 12)]
    assert lanes(spans, ["a", "b", "c", "d", "e"]) == [0, 1, 1, 2, 0]


def test_a_process_stays_in_its_lane_where_that_is_free() -> None:
    spans = [(0, 3), (0, 2), (3, 5), (3, 6), (6, 7)]
    assert lanes(spans, [7, 8, 8, 7, 8]) == [0, 1, 1, 0, 1]


def test_a_process_whose_lane_is_taken_gets_another() -> None:
    assert lanes([(0, 2), (1, 3), (2, 4)], [7, 7, 9]) == [0, 1, 0]


def test_busy_slots_are_counted_from_each_change_on() -> None:
    spans = [(0, 2), (1, 4), (2, 3)]
    assert busy(spans) == ([0, 1, 2, 3, 4], [1, 2, 2, 1, 0])


def test_only_a_pause_longer_than_all_work_ends_a_period() -> None:
    # 2 + 1 + 1 seconds of work; the pauses are 4 and 4.5 seconds long.
    assert periods([(0, 2), (1, 2), (6, 7), (11.5, 12.5)]) == [(0, 7), (11.5, 12.5)]
