import argparse
import json

import pytest
import torch

from benchmarks import choosing
from infogan.base.images import Split
from infogan.datasets import lookup
from infogan.evaluate.subject import Subject
from infogan.judge.judge import untrained_judge


def test_a_trial_is_measured_on_what_its_training_holds_out(monkeypatch, make_params, digit_images):
    sizes = {"evaluate.num_trajectories": 3, "training.held_out_images": 100}
    params = make_params(sizes | {"codes.categorical": [10]})
    split = Split(digit_images[:160], torch.arange(160) % 10)
    seen = {}

    def watched(*given):
        subject = Subject(*given)
        seen["train"], seen["test"] = subject.train, subject.test
        return subject

    monkeypatch.setattr(choosing, "VARIANTS", {"wide": {"lambda_cont": 0.5}})
    monkeypatch.setattr(choosing, "load_params", lambda path: params)
    monkeypatch.setattr(choosing, "load_split", lambda *given: split)
    monkeypatch.setattr(choosing, "load_judge", lambda *given: untrained_judge(lookup("digits")))
    monkeypatch.setattr(choosing, "Subject", watched)
    line = choosing.trial("wide", 100, "judge")
    assert (line["variant"], line["seed"], line["step"]) == ("wide", 100, 2)
    assert {*choosing.SHOWN} <= {*line["metrics"]}
    assert torch.equal(seen["train"].images, split.images[100:])
    assert torch.equal(seen["test"].images, split.images[:100])


@pytest.fixture
def records(monkeypatch, tmp_path):
    monkeypatch.setattr(choosing, "RECORDS", tmp_path / "choosing.jsonl")
    return choosing.RECORDS


def test_what_stands_in_the_records_is_not_run_again(monkeypatch, records, make_params):
    def call(function, variant, seed, judge):
        return {"variant": variant, "seed": seed, "step": 2, "metrics": {}}

    monkeypatch.setattr(choosing, "call", call)
    monkeypatch.setattr(choosing, "load_params", lambda path: make_params({"num_steps": 2}))
    given = argparse.Namespace(variants="a,b", seeds="100,101", jobs=2, judge="")
    choosing.run_missing(given)
    first = records.read_text()
    assert len(first.splitlines()) == 4
    choosing.run_missing(given)
    assert records.read_text() == first
    monkeypatch.setattr(choosing, "load_params", lambda path: make_params({"num_steps": 3}))
    choosing.run_missing(given)
    assert len(records.read_text().splitlines()) == 8


def test_the_page_has_a_column_for_each_variant_and_number_of_steps(records, tmp_path):
    lines = [
        {"variant": "a", "seed": seed, "step": step, "metrics": {"accuracy_matched": 0.9 + seed}}
        for seed in (0, 1)
        for step in (10, 2000)
    ]
    records.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "page.md"
    choosing.page(argparse.Namespace(out=out, made="Made"))
    text = out.read_text()
    assert "| Metric | `a, 10 steps` | `a, 2,000 steps` | What it is |" in text
    assert "| `accuracy_matched` | 1.400 ± 0.707 (n = 2) | 1.400 ± 0.707 (n = 2) |" in text
