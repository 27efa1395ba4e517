"""Stage `report`: means over seeds, the claims table and the figures, as Markdown and as a page.

Reads the runs that the parameters list, and no other that may lie beside them.
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from infogan.base.files import write_file
from infogan.base.splits import load_arrays
from infogan.datasets import lookup
from infogan.params import load_params
from infogan.report.document import markdown
from infogan.report.figure_files import save_png, save_svg
from infogan.report.pictures import draw
from infogan.report.runs import all_metrics, mean_curves, read_run
from infogan.report.tables import summarise
from infogan.report.text import document
from infogan.report.webpage import web_page
from stages import run_stage, stage_parser

LINKS = {
    "Explorer: turn the codes (`make repro` makes it)": "explorer.html",
    "Study over seeds": "study.md",
    "Departures from the paper": "deviations.md",
    "As Markdown": "results.md",
    "Metrics": "metrics.json",
    "Curves": "curves.csv",
}


def main(args: argparse.Namespace) -> None:
    """Read all runs, then write results.md, index.html, metrics.json, curves and figures."""
    params = load_params(args.params)
    runs = [
        read_run(args.runs, objective, seed)
        for objective in params.objectives
        for seed in params.seeds
    ]
    judge = json.loads((args.runs / "judge" / "metrics.json").read_text(encoding="utf-8"))
    data_set = lookup(params.dataset)
    real_images = load_arrays(args.data, data_set, "test", ("images",))["images"][:100]
    pictures = draw(runs, params, data_set, real_images)
    summary = {**summarise(all_metrics(runs)), "judge": judge}
    blocks = document(runs, params, data_set, judge, pictures)

    pixels, vectors = args.out / "figures", args.out / "vector"
    for picture, figure in pictures.items():
        save_png(figure, pixels / f"{picture.name}.png")
        save_svg(figure, vectors / f"{picture.name}.svg")
    write_file(args.out / "metrics.json", json.dumps(summary, indent=2) + "\n")
    write_curves(args.out, mean_curves(runs))
    write_file(args.out / "results.md", markdown(blocks))
    write_file(args.out / "index.html", web_page(blocks, LINKS))
    print(f"report: {args.out}/index.html, results.md, metrics.json, {len(pictures)} figures")


def write_curves(folder: Path, curves: pd.DataFrame) -> None:
    """All curves as one table, and each as a file of its own, from which DVC makes a chart."""
    write_file(folder / "curves.csv", curves.to_csv())
    for name in curves:
        write_file(folder / "curves" / f"{name}.csv", curves[[name]].dropna().to_csv())


def parser() -> argparse.ArgumentParser:
    """The stage's options."""
    return stage_parser(
        "Write the report from the runs.",
        runs="folder of all runs",
        data="packed data set: data/packed",
        out="folder of the report",
    )


if __name__ == "__main__":
    run_stage(main, parser())
