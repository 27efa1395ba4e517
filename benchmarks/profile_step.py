"""Show where the time of a training step goes, operation by operation.

    python -m benchmarks.profile_step --preset presets/release.yaml

The steps are those that `benchmarks.speed` times; `--trace` keeps them for a trace viewer.
"""

import argparse
from itertools import islice
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.speed import ALL_CORES, WARM_UP, Setting, seconds_per_step

NUM_STEPS = 5


def main() -> None:
    """Print the operations that take most of a step."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.profile_step", description=__doc__)
    options.add_argument("--preset", default="params.yaml", help="parameter file (params.yaml)")
    options.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    options.add_argument("--threads", type=int, default=ALL_CORES, help=f"threads ({ALL_CORES})")
    options.add_argument("--rows", type=int, default=25, help="operations to show (25)")
    options.add_argument("--trace", type=Path, help="file for a trace viewer, such as trace.json")
    given = options.parse_args()

    setting = Setting(given.preset, given.precision, given.threads)
    steps = seconds_per_step(setting)
    list(islice(steps, WARM_UP))
    on_gpu = torch.cuda.is_available()
    with profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * on_gpu]) as profiler:
        times = list(islice(steps, NUM_STEPS))
    order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    print(profiler.key_averages().table(order, row_limit=given.rows, max_name_column_width=48))
    print(f"{1000 * sum(times) / NUM_STEPS:.0f} ms a step under the profiler")
    if given.trace:
        profiler.export_chrome_trace(str(given.trace))


if __name__ == "__main__":
    main()
