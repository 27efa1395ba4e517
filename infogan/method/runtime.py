"""Where a run computes: device, precision and threads, resolved once and recorded with the run."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from infogan.base.cores import threads_asked, usable_cores
from infogan.base.errors import InfoGANError
from infogan.params import Runtime


@dataclass(frozen=True)
class Backend:
    """The resolved `runtime:` section."""

    device: torch.device
    precision: torch.dtype
    threads: int

    def autocast(self) -> torch.autocast:
        """Context in which matrix products and convolutions run in `precision`."""
        enabled = self.precision is not torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def describe(self) -> dict[str, str | int]:
        """Hardware and versions, for the record; the same on every run of one machine."""
        gpu = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "none"
        return {
            "device": self.device.type,
            "gpu": gpu,
            "precision": str(self.precision).removeprefix("torch."),
            "threads": self.threads,
            "machine": platform.machine(),
            "processor": _processor(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        }


def resolve(runtime: Runtime) -> Backend:
    """Choose device, precision and threads, and set torch to deterministic algorithms.

    `auto` is the GPU if there is one; bfloat16 where the hardware multiplies it natively; torch's
    own number of threads, which OMP_NUM_THREADS sets, else no more than there are usable cores.
    Raises InfoGANError for a GPU that is not there, and for an OMP_NUM_THREADS that is no number.
    """
    has_gpu = torch.cuda.is_available()
    if runtime.device == "cuda" and not has_gpu:
        raise InfoGANError("runtime.device = cuda: this torch sees no CUDA device; use auto or cpu")
    device = torch.device("cuda" if has_gpu and runtime.device != "cpu" else "cpu")
    if runtime.threads != "auto":
        torch.set_num_threads(runtime.threads)
        threadpool_limits(runtime.threads)  # NumPy's linear algebra, too
    elif threads_asked() is None:
        torch.set_num_threads(min(torch.get_num_threads(), usable_cores()))
    # cuBLAS is deterministic only with a workspace of fixed size.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # As `torch.use_deterministic_algorithms`, which spends two seconds on importing a compiler.
    torch.set_deterministic_debug_mode("error")
    # Filling new tensors with NaN, a debugging aid that comes with it, costs a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    if runtime.precision == "auto":
        native = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bfloat16()
        precision = torch.bfloat16 if native else torch.float32
    else:
        precision = getattr(torch, runtime.precision)
    return Backend(device, precision, torch.get_num_threads())


def _cpu_has_bfloat16() -> bool:
    # Older torch cannot say; float32 is right on any processor.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _processor() -> str:
    """The processor's model name where Linux tells it, else what Python knows."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
