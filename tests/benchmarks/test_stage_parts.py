import torch
from torch import nn

from benchmarks.stage_parts import Cost, Meter, report


def metered(work):
    meter = Meter("it")
    with meter:
        work()
    (cost,) = meter.end()
    return cost


def test_a_pass_forwards_and_back_counts_its_multiply_adds():
    linear, batch = nn.Linear(6, 5), torch.randn(4, 6)

    def work():
        linear(batch).sum().backward()

    # Forwards, and the gradient of the weights; the batch needs none.
    assert metered(work).multiply_adds == {"float32": 2 * 4 * 6 * 5}


def test_a_convolution_counts_by_its_precision_and_without_gradients():
    conv, images = nn.Conv2d(3, 7, 3, padding=1).bfloat16(), torch.randn(2, 3, 8, 8).bfloat16()
    with torch.inference_mode():
        cost = metered(lambda: conv(images))
    assert cost.multiply_adds == {"bfloat16": 2 * 8 * 8 * 3 * 3 * 3 * 7}


def test_an_operation_is_a_product_or_another_and_what_remains_is_neither():
    matrix = torch.randn(300, 300)
    product = metered(lambda: matrix @ matrix)
    assert product.products > 0 == product.other
    other = metered(lambda: matrix.sort())
    assert other.other > 0 == other.products
    assert not other.multiply_adds
    nothing = metered(lambda: sum(range(1000)))
    assert nothing.seconds > 0 == nothing.products == nothing.other


def test_each_part_has_its_own_time_and_counts():
    a, b = torch.randn(10, 20), torch.randn(20, 30)
    meter = Meter("first")
    with meter:
        a @ b
        meter.begin("second")
        b.T @ a.T
        b.T @ a.T
    first, second = meter.end()
    assert [first.name, second.name] == ["first", "second"]
    assert first.multiply_adds == {"float32": 6000}
    assert second.multiply_adds == {"float32": 12000}
    for cost in (first, second):
        assert cost.seconds > cost.products + cost.other > 0


def test_the_page_sets_each_part_beside_its_floor_and_adds_them_up():
    costs = [
        Cost("a", 3.0, 1.0, 0.5, {"float32": 2_000, "bfloat16": 3_000}),
        Cost("b", 2.0, 0.0, 1.0),
    ]
    page = report(costs, 4.25, {"float32": 4e3, "bfloat16": 6e3}, {"device": "cpu"})
    assert "| a | 3.0 | 1.0 | 1.0 | 0.5 | 1.5 |" in page
    assert "| b | 2.0 | 0.0 | 0.0 | 1.0 | 1.0 |" in page
    assert "| all parts | 5.0 | 1.0 | 1.0 | 1.5 | 2.5 |" in page
    assert "takes 4.2 s more" in page
