"""Run the study: `python -m study run` trains and measures what is missing, and writes it up.

`collect` takes over what has finished so far, `report` writes up the records that are there. After
a change of the measurements, `run --anew` takes all of them again, of what is trained already.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from infogan.base.cores import usable_cores
from infogan.base.errors import InfoGANError, end_in_one_line
from infogan.base.files import write_file
from infogan.report.figure_files import save_png, save_svg
from study import report
from study.cluster import Store, Study, connected, refuse_changes
from study.experiments import Experiment, Recipe, experiments, load_recipes
from study.git import head, refuse_shallow_clone
from study.progress import Progress
from study.records import (
    Record,
    collect,
    load_records,
    on_record,
    refuse_taken_name,
    same_parameters,
)

RECIPES = Path("study/experiments.yaml")
RECORDS = Path("reports/study")
AGAIN = RECORDS / "again"
README = Path("README.md")
LOGS = Path(".dvc/tmp/study")


def run(
    chosen: list[Experiment], jobs: int, on: str, address: str, *, anew: bool = False
) -> list[str]:
    """Train and measure what has no record yet; returns what failed.

    With `anew` measure what is on record, unless that is of this commit, and train nothing else.
    Each experiment is put on record as soon as it has finished.
    """
    refuse_shallow_clone()
    commit = head() if anew else ""

    def is_done(one: Experiment) -> bool:
        return collect(one, Path("."), RECORDS, commit)

    known: dict[str, Any] = {}
    if anew:
        known = {one.name: old["lock"] for one in chosen if (old := on_record(one, RECORDS))}
        chosen = [one for one in chosen if one.name in known]
    missing = [one for one in chosen if not is_done(one)]
    print(f"study: {len(missing)} experiments to run, {len(chosen) - len(missing)} on record")
    if not missing:
        return []
    refuse_changes()
    for one in missing:
        refuse_taken_name(one, Path("."))
    store = Store(address)
    store.check()
    with connected(on, jobs) as client, Progress(LOGS, len(missing)) as progress:
        progress.say(f"{LOGS}/NAME.log shows each; Ctrl-C ends them, to go on later")
        # Here the workers have this environment, elsewhere the one that they were started in.
        study = Study(
            client,
            store,
            python="python" if on else sys.executable,
            collect=is_done,
            trained=known,
        )
        return study.run(missing, progress)


def write_report(recipes: dict[str, Recipe], every: list[Experiment]) -> None:
    """reports/study.md, its figures, the table of all runs and the README's, from the records.

    In `again` are records of the same recipes and seeds, made on a device of the other kind.
    """
    wanted = {one.name: one.parameters for one in every}
    records, again = _of_today(RECORDS, wanted), _of_today(AGAIN, wanted)
    if not records:
        raise InfoGANError(f"{RECORDS}: no records; run `python -m study run`, then collect")
    pictures = report.draw(records, recipes)
    for name, figure in pictures.items():
        save_png(figure, RECORDS / f"{name}.png")
        save_svg(figure, RECORDS / f"{name}.svg")
    write_file(RECORDS / "runs.csv", report.table(records).to_csv())
    write_file(RECORDS.with_suffix(".md"), report.document(records, recipes, list(pictures), again))
    readme = README.read_text(encoding="utf-8")
    write_file(README, report.readme_with_table(readme, records, recipes))
    print(f"study: {RECORDS.with_suffix('.md')} from {len(records)} records")


def _of_today(folder: Path, wanted: dict[str, dict[str, Any]]) -> list[Record]:
    """A folder's records, but for those that were made with other parameters, which it names."""
    found = load_records(folder)
    records = [
        record
        for record in found
        if record.name in wanted
        and same_parameters(record.contents["parameters"], wanted[record.name])
    ]
    if others := {record.name for record in found} - {record.name for record in records}:
        print(f"study: left out, since the recipe is another today: {', '.join(sorted(others))}")
    return records


def main() -> None:
    """Run experiments, collect what has finished, or write the report."""
    parser = argparse.ArgumentParser(prog="python -m study", description=__doc__)
    parser.add_argument("task", choices=("run", "collect", "report"))
    parser.add_argument("recipes", nargs="*", help="some recipes only; all without")
    parser.add_argument(
        "--jobs", type=int, default=usable_cores(), help="experiments at a time; one per core"
    )
    parser.add_argument("--anew", action="store_true", help="measure what is on record again")
    parser.add_argument("--on", default="", help="a Dask scheduler's address; default: here")
    parser.add_argument("--store", default="", help="folder or remote of all that is made")
    args = parser.parse_args()
    if args.jobs < 1:
        parser.error("--jobs: expected at least 1")
    recipes = load_recipes(RECIPES)
    if unknown := ", ".join(sorted(set(args.recipes) - recipes.keys())):
        raise InfoGANError(f"no recipe {unknown}; there are {', '.join(recipes)}")
    every = experiments(recipes, Path("params.yaml"))
    chosen = [one for one in every if one.recipe in (args.recipes or recipes)]
    if args.task == "report":
        write_report(recipes, every)
        return
    try:
        failed = []
        if args.task == "run":
            failed = run(chosen, args.jobs, args.on, args.store, anew=args.anew)
    except KeyboardInterrupt:
        raise InfoGANError("interrupted; the same command goes on from here") from None
    done = [one.name for one in chosen if collect(one, Path("."), RECORDS)]
    print(f"study: {len(done)} of {len(chosen)} experiments on record in {RECORDS}")
    if done or not failed:
        write_report(recipes, every)
    if failed:
        raise InfoGANError(f"{', '.join(failed)}: failed; the cause stands above and in {LOGS}")


if __name__ == "__main__":
    end_in_one_line(main)
