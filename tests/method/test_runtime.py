import json
import subprocess
import sys

import pytest
import torch

from infogan.base.cores import usable_cores
from infogan.base.errors import InfoGANError
from infogan.method.runtime import Backend, resolve
from infogan.params import Runtime


@pytest.fixture(autouse=True)
def restored_torch(monkeypatch):
    """Give torch's global settings back as they were."""
    cudnn = torch.backends.cudnn
    for place, name in (
        *((cudnn, "benchmark"), (cudnn, "allow_tf32")),
        (torch.utils.deterministic, "fill_uninitialized_memory"),
    ):
        monkeypatch.setattr(place, name, getattr(place, name))
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def runtime(device="cpu", precision="float32", threads="auto"):
    return Runtime(device=device, precision=precision, threads=threads)


def test_the_asked_device_precision_and_threads_are_used():
    for precision in (torch.float32, torch.bfloat16):
        backend = resolve(runtime("cpu", str(precision).removeprefix("torch."), 3))
        assert backend == Backend(torch.device("cpu"), precision, 3)
        with backend.autocast():
            assert (torch.ones(2, 3) @ torch.ones(3, 4)).dtype == precision
    assert torch.get_num_threads() == 3


def test_automatic_threads_are_those_asked_for_else_no_more_than_usable_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    torch.set_num_threads(5)
    assert resolve(runtime(threads="auto")).threads == 5
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(500)
    assert resolve(runtime(threads="auto")).threads == usable_cores()
    torch.set_num_threads(1)
    assert resolve(runtime(threads="auto")).threads == 1


def test_a_number_of_threads_that_openmp_would_ignore_is_refused(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    with pytest.raises(InfoGANError, match="OMP_NUM_THREADS = 'many'"):
        resolve(runtime(threads="auto"))
    assert resolve(runtime(threads=3)).threads == 3


def test_the_automatic_device_is_the_gpu_if_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve(runtime("auto")).device.type == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there_is_refused_in_one_line():
    with pytest.raises(InfoGANError, match=r"runtime\.device = cuda: .*use auto or cpu") as refused:
        resolve(runtime("cuda"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        (None, torch.float32),  # torch cannot tell
        ({"avx512_bf16": False, "amx_bf16": False, "avx2": True}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ],
)
def test_the_automatic_precision_is_bfloat16_where_the_processor_multiplies_it(
    monkeypatch, capabilities, precision
):
    if capabilities is None:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert resolve(runtime(precision="auto")).precision == precision


def test_resolving_makes_torch_deterministic_and_keeps_float32_at_its_full_precision():
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
    torch.utils.deterministic.fill_uninitialized_memory = True
    resolve(runtime())
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.utils.deterministic.fill_uninitialized_memory


def test_the_description_is_the_same_twice_and_fits_json():
    backend = resolve(runtime("cpu", "bfloat16", 2))
    described = backend.describe()
    assert described == backend.describe()
    assert json.loads(json.dumps(described)) == described
    assert (described["device"], described["gpu"]) == ("cpu", "none")
    assert (described["precision"], described["threads"]) == ("bfloat16", 2)
    assert described["torch"] == torch.__version__
    assert described["processor"]


START = """
import sys, torch
from infogan.method.optimisation import Adam
from infogan.method.runtime import resolve
from infogan.params import Runtime

resolve(Runtime(device="cpu", precision="float32", threads=1))
weight = torch.ones(1, requires_grad=True)
weight.sum().backward()
Adam([weight], lr=0.1).step()
found = torch.are_deterministic_algorithms_enabled(), weight.item() < 1
print(*found, "torch._dynamo" in sys.modules)
"""


def test_a_stage_starts_and_learns_without_torchs_compiler():
    said = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    assert said.stdout == "True True False\n"
