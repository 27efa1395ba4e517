"""Compare two states of the results: `python -m compare HEAD workspace`.

Each is a Git revision, the name of a DVC experiment, or `workspace`.
"""

import argparse
import re
from pathlib import Path

from compare.page import comparison_page, num_differing
from compare.revisions import WORKSPACE, read_results
from infogan.base.errors import end_in_one_line
from infogan.base.files import write_file


def main() -> None:
    """Write the page and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m compare", description=__doc__)
    parser.add_argument("before", nargs="?", default="HEAD", help="revision, experiment, workspace")
    parser.add_argument("after", nargs="?", default=WORKSPACE, help="the same; without: workspace")
    parser.add_argument("--out", type=Path, help="the page: comparisons/BEFORE-AFTER.html")
    args = parser.parse_args()
    before, after = (read_results(Path("."), name) for name in (args.before, args.after))
    name = re.sub(r"[^\w.-]+", "-", f"{before.name}-{after.name}")
    out = args.out or Path("comparisons", f"{name}.html")
    write_file(out, comparison_page(before, after))
    parameters, metrics = num_differing(before, after)
    print(f"compare: {out}; {parameters} parameters and {metrics} metrics differ")


if __name__ == "__main__":
    end_in_one_line(main)
