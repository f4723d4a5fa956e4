"""The clock of ``bench quality`` counts training, stops at the target, and says where one was never reached."""

import torch

from course.bench import quality
from helpers.core.data import ImageSet


def images(num):
    x = torch.rand(num, 1, 28, 28).round()
    return ImageSet("noise", False, x, torch.zeros(num, dtype=torch.long), x[:10], torch.zeros(10, dtype=torch.long))


def test_a_target_that_all_reach_stops_both_after_an_epoch():
    results = quality.ways(images(400), 1e6, 3, num_val=100)
    assert [way.reached(1e6) for way in results] == [(1, way.seconds[0]) for way in results]
    assert all(len(way.worse) == 1 and 100 < way.worse[0] < 2000 for way in results)


def test_a_target_that_none_reaches_lets_both_train_on():
    results = quality.ways(images(300), 1.0, 2, num_val=100)
    assert [len(way.worse) for way in results] == [2, quality.OUR_EPOCHS]
    assert all(way.reached(1.0) is None and way.seconds == sorted(way.seconds) for way in results)
    cells = list(quality.table(results, 1.0).columns[1].cells)
    assert cells[0] == f"not in 2: {min(results[0].worse):.2f}"


def test_the_first_epoch_at_the_target_counts():
    way = quality.Way("", [10.0, 20.0, 30.0], [99.0, 94.9, 95.0])
    assert way.reached(95) == (2, 20.0) and way.reached(90) is None
    slow = quality.Way("", [60.0], [95.0])
    assert list(quality.table([slow, way], 95).columns[4].cells) == ["1.0", "3.0"]
