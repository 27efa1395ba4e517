from math import nan

import pandas as pd

from benchmarks.speed import PORT, step_flop, table

# The paper's networks on MNIST: multiply-adds of each layer, per image.
CONV1, CONV2, DENSE = 14 * 14 * 64 * 16, 7 * 7 * 128 * 64 * 16, 7 * 7 * 128 * 1024
TRUNK, HEAD, Q = CONV1 + CONV2 + DENSE, 1024, 1024 * 128 + 128 * 14
FIRST, G = 74 * 1024, 74 * 1024 + DENSE + CONV2 + CONV1
# A pass that learns multiplies three times per layer: forwards, for its weights' gradients and for
# its input's, which D's first layer does without while D learns, and G's always.
STEP = 2 * G + 3 * (2 * TRUNK + 2 * HEAD + Q) - 2 * CONV1 + 2 * (TRUNK + HEAD + Q) + 2 * G - FIRST

PLAIN = {"lambda_information": 0.0, "lambda_consistency": 0.0, "categories_from_maps": False}
PAPER = {"networks.width": 1.0, "codes.noise": 62, "codes.categorical": [10], "codes.continuous": 2}


def test_a_step_with_the_papers_networks_counts_as_by_hand(make_params, backend):
    params = make_params(PLAIN | PAPER | {"training.batch_size": 2})
    assert step_flop(params, backend) == 2 * 2 * STEP


def test_a_row_sets_a_step_beside_its_floor_and_the_port():
    ours = {"step": 0.5, "batch": 100, "peak": 1.5, "rate": 4e9, "flop": 1e9}
    found = {"default": ours, PORT: ours | {"step": 0.75, "flop": nan}}
    ours, port = table(pd.DataFrame.from_dict(found, orient="index")).rows
    assert ours == ["default", "500", "200", "4", "10.0", "0.50", "1.50", "1.50"]
    assert port == [PORT, "750", "133", "4", "-", "-", "1.50", "1.00"]
