"""Damage params.yaml in random ways: each file must be refused in one line, or train two steps.

A refusal is good if its line names the file and the key or the place in it. What is accepted trains
on scikit-learn's digits, its sizes cut down to CAPS; it may still be stopped, for too few images or
for a diverging loss. All else fails: another exception, several lines, 20 seconds of computing.
"""

import argparse
import random
import re
import signal
from collections import Counter
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from benchmarks.harness import changed
from infogan.base.errors import InfoGANError
from infogan.download.packing import read_digits
from infogan.method.runtime import Backend
from infogan.objectives import OBJECTIVES
from infogan.params import load_params
from infogan.train.loop import train

ORIGINAL = (Path(__file__).parents[1] / "params.yaml").read_text(encoding="utf-8")
# The most that a case trains with, whatever its file says.
CAPS = {"num_steps": 2, "codes.noise": 100, "codes.continuous": 20, "networks.width": 0.05}
CAPS |= {"training.batch_size": 16, "training.film_frames": 2, "training.held_out_images": 0}

# What a good message names: a key, a line, a position or the file as a whole; or the loss, the
# weights or the key that does not fit the data.
GOOD = {
    "refused": r"^: .{1,200}: (expected|missing|unknown)|line \d|position \d|^: expected a mapping",
    "stopped": r"^[a-z_]+ = -?(inf|nan) at step \d|not finite at the last|training\.\w+ = ",
}
VALUES = (
    *(-(10**30), -1, 0, 1, 2, 3, 8, 10, 100, 101, 999, 1001, 2**31, 2**32 - 1, 2**32, 10**9, 2**63),
    *(10**400, 0.5, 1.0, 2.5, 1e-320, 1e-45, 1e38, 1e39, 1e300, "", "~", "true", "yes", "1E5"),
    *("1e400", ".5", "-0.0", "1_000", "0x1F", "017", "1:30", ".inf", ".nan", "2020-01-01", "auto"),
    *("cuda", "mnist", "gan", "learned", "normal", "[]", "{}", "[10]", "[2, 2, 2]", "[1000, 3]"),
    *("[1]", "[10.0]", "['10']", "[[10]]", "[~]", "[0, 0]", "[gan]", "[gan, gan]"),
    *("{noise: 3}", "[a, {b: c}]", "!!int x", "!!str 3", "!!bool yes", "!!omap [a: 1]", "!x 1"),
    *("!!binary ====", "!!timestamp never", "!!python/object:os.system x", "*a", "&a [*a]", "@at"),
    *("&a {*a : 1}", "|\n  text", "? key", "- 1", "%directive", '"\\ud800"', '"\\0"', '"a\\nb"'),
    *("\uff11", "\u202e3", "\x85", "[" * 10**5, "9" * 10**6, "x" * 10**6, [2] * 101),
)  # fmt: skip
NAMES = ("typo", "", "1", "~", ".nan", "<<", "? [a, b]", '"two\\nlines"', '"\\e[2J"', "*a", "&a k")
# References that stand for more values than memory holds.
GROWING = "l0: &l0 [1, 2]\n" + "".join(
    f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
# Whole files; FILE stands for the original.
DOCUMENTS = (
    *("", "# nothing\n", "---\n", "- 1\n", "mnist\n", "{}", "{a}", ": v", "%YAML 9.9\n---\nFILE"),
    *("FILE---\nFILE", "- FILE", "FILE]", '"FILE"', "\ufeffFILE", f"{GROWING}FILE", "[" * 10**6),
    *(f"{GROWING}FILE\nmaps: *l11\n", "FILE\n<<: *unset\n", "a: &a {x: 1}\n<<: *a\nFILE"),
    *("FILE\n<<: [3]\n", "{a: " * 10**5, "- " * 10**6, "FILE" + "\n" * 10**6),
)  # fmt: skip
REPLACEMENTS = (("\n", "\r\n"), ("\n", "\r"), (": ", ":"), (" ", "\u00a0"), ("  ", "\t"))


def damage(text: str, rng: random.Random) -> str:
    """One damage, most often to a line that has a key."""
    lines = text.split("\n")
    at = rng.choice([i for i, line in enumerate(lines) if re.match(r" *\w+:", line)] or [0])
    key, _, value = lines[at].partition(":")
    scale, cut = rng.choice((0, 0.5, 2, 10, 1e3, 1e9, -1e-3, 1e-30)), rng.randrange(len(text) + 1)
    number = next(iter(re.findall(r"\d+\.\d+|\d+", value)), "1")
    scaled = float(number) * scale if "." in number else round(int(number) * scale)
    others = (
        *[f"{key}: {rng.choice(VALUES)}"] * 3,
        *[f"{key}:{value.replace(number, str(scaled), 1)}"] * 3,
        rng.choice(("", f"{lines[at]}\n{rng.choice(lines)}")),
        lines[at].replace(key.strip(), rng.choice(NAMES), 1),
        rng.choice((" ", "\t", "")) + lines[at].lstrip(),
    )
    lines[at] = rng.choice(others)
    while lines[at + 1 :] and lines[at + 1].lstrip().startswith("- "):
        del lines[at + 1]  # of the list that stood there
    replaced = text.replace(*rng.choice(REPLACEMENTS))
    inserted = text[:cut] + chr(rng.randrange(rng.choice((128, 0xD7FF)))) + text[cut:]
    document = rng.choice(DOCUMENTS).replace("FILE", text)
    return rng.choice([*["\n".join(lines)] * 8, text[:cut], inserted, replaced, document])


def damaged(seed: int, case: int) -> bytes:
    """The file of a case, with one to three damages; it depends on both numbers alone."""
    rng, text = random.Random(f"{seed}/{case}"), ORIGINAL
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = damage(text, rng)
    contents, noise = text.encode(), rng.randbytes(40)
    others = (noise, contents + noise, contents.replace(b"e", b"\0"), text.encode("utf-16"))
    return rng.choice(others) if rng.random() < 0.1 else contents


def ending(path: Path, images: Tensor, seconds: float = 20) -> tuple[str, str]:
    """How a file ends: trained, refused, stopped while training, or FAILED; and the message."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"took over {seconds} seconds of computing")

    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    kind = "refused"
    try:
        params = load_params(path)
        capped = {key: min(attrgetter(key)(params), cap) for key, cap in CAPS.items()}
        params = changed(params, capped | {"dataset": "digits"})
        kind = "stopped"
        backend = Backend(torch.device("cpu"), torch.float32, threads=1)
        for name in params.objectives:
            objective = OBJECTIVES[name](params)
            train(images, params, objective, params.seeds[0], backend, lambda *_: None)
    except InfoGANError as error:
        message = str(error).removeprefix(str(path))
        return kind if is_good(kind, message) else "FAILED", message
    except Exception as error:
        return "FAILED", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "trained", ""


def is_good(kind: str, message: str) -> bool:
    """Whether a message is one short line that names the place or the cause."""
    short = len(message.splitlines()) == 1 and len(message) <= 5000
    return short and re.search(GOOD[kind], message) is not None


def fuzz(num_cases: int, seed: int) -> Counter[str]:
    """How often files ended in which way; prints those that failed."""
    images, counts = torch.as_tensor(read_digits({}, "train")[0]), Counter[str]()
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "params.yaml"
        for case in range(num_cases):
            path.write_bytes(damaged(seed, case))
            kind, message = ending(path, images)
            counts[kind] += 1
            if kind == "FAILED":
                print(f"case {case}: {message[:500]}", flush=True)
    return counts


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_params", description=__doc__)
    options.add_argument("--cases", type=int, default=2000, help="number of files (2000)")
    options.add_argument("--seed", type=int, default=0, help="decides what is damaged (0)")
    given = options.parse_args()
    torch.set_num_threads(1)
    found = fuzz(given.cases, given.seed)
    shown = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    print(f"{given.cases} files from seed {given.seed}: {shown}")
    raise SystemExit(bool(found["FAILED"]))
