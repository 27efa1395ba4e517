from benchmarks.precision import METRICS, report


def test_only_seeds_of_both_sides_are_compared():
    ours = {seed: dict.fromkeys(METRICS, 0.5 + seed / 10) for seed in (0, 1, 2)}
    here = {seed: dict.fromkeys(METRICS, 0.25) for seed in (1, 2, 7)}
    page = report(ours, here, "a machine")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert "| `nmi` | 0.650 ± 0.071 (n = 2) | 0.250 ± 0.000 (n = 2) |" in rows
    assert rows[-2:] == ["| 1 | 0.600 | 0.250 |", "| 2 | 0.700 | 0.250 |"]
    assert "on a machine" in page
