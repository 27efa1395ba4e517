from benchmarks.time_to_accuracy import report


def test_a_seed_that_never_gets_there_counts_and_does_not_move_the_median():
    found = {1: (400, 90.0), 0: (300, 75.4), 2: (2000, float("inf"))}
    page = report(0.95, found, {"device": "cpu"})
    rows = [line for line in page.splitlines() if line.startswith("| ")][2:]
    assert rows == [
        "| 0 | 300 | 75 |",
        "| 1 | 400 | 90 |",
        "| 2 | 2000 | inf |",
        "| median | 400 | 90 |",
    ]
