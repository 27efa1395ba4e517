"""Damage params.yaml in random ways: each file must be refused in one line, or train two steps.

A file is refused well if the line names the file and the key, or the place in the file. One that
is accepted trains two steps on scikit-learn's digits, in float32, with its values as they are but
for CAPS, which keep a step within milliseconds; a training may still be refused, for a batch of
more images than there are, or for a diverging loss. Anything else is a failure: another exception,
several lines, or more than SECONDS of computing, however busy the machine is.
"""

import argparse
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import yaml

from infogan.base.errors import InfoGANError
from infogan.base.packed import load_images
from infogan.datasets import lookup
from infogan.download.packing import prepare
from infogan.method.runtime import Backend
from infogan.objectives import OBJECTIVES
from infogan.params import Params, load_params
from infogan.train.loop import train

SECONDS = 20

# What a case trains with instead of what its file says.
CAPS: dict[str, float] = {
    "num_steps": 2,
    "codes.noise": 100,
    "codes.continuous": 20,
    "networks.width": 0.05,
    "training.batch_size": 16,
    "training.film_frames": 2,
}
MAX_CATEGORIES = 100  # of all categorical codes together; further codes are left out

# A key with or without its value, a line or a position; or it is about the file as a whole.
NAMES_THE_PLACE = re.compile(
    r"^: .{1,200}: (expected|missing|unknown)|line \d+|position \d+|^: expected a mapping"
)
# Of a training: it names the loss or the weights, or the key that does not fit the data.
NAMES_THE_CAUSE = re.compile(
    r"^[a-z_]+ = -?(inf|nan) at step \d|not finite at the last step|training\.\w+ = "
)

INTEGERS = (
    *(-(10**30), -(2**63), -1, 0, 1, 2, 3, 7, 8, 10, 100, 101, 999, 1000, 1001, 2**31, 2**32 - 1),
    *(2**32, 10**9, 10**12, 2**63 - 1, 2**63, 10**30, 10**400),
)
SCALARS = (
    *("", "~", "null", "true", "false", "True", "yes", "no", "on", "off", "y", "0", "1", "-1"),
    *("1e-5", "1e-05", "1E5", "1e400", "-1e400", ".5", "5.", "+.5", "-0.0", "1e-320", "1e-45"),
    *("1e38", "1e39", "1e300", "0.9999999999999999", "0.5", "0.999", "1.0", "2.5", "1_000", "0x1F"),
    *("0o17", "017", "1:30", ".inf", "-.inf", ".nan", ".NaN", "inf", "nan", "NaN", "2020-01-01"),
    *("auto", "cpu", "cuda", "float32", "bfloat16", "mnist", "fashion_mnist", "digits", "infogan"),
    *("gan", "fixed", "learned", "uniform", "normal", "[]", "{}", "[10]", "[10, 2]", "[2, 2, 2]"),
    *("[1000, 3]", "[1]", "[0]", "[-1]", "[10.0]", "['10']", "[[10]]", "[~]", "[0, 0]", "[gan]"),
    *("[gan, infogan]", "[gan, gan]", "[4294967296]", "{a: 1}", "{noise: 3}", "[a, {b: c}]"),
    *("'1'", '"1"', "!!int 3", "!!int x", "!!float 3", "!!str 3", "!!bool yes", "!!null ''"),
    *("!!set {a, b}", "!!omap [a: 1]", "!!binary aGVsbG8=", "!!binary ====", "!!timestamp never"),
    *("!!python/object:os.system x", "!!python/name:os.system", "!custom 1", "&a 3", "*a"),
    *("|\n  text", ">\n  folded", "? key", "- 1", "@at", "`tick`", "%directive", "${dataset}"),
    *('"\\ud800"', '"\\0"', '"a\\nb"', "'it''s'", "zwölf", "十", "\uff11", "\u202e3", "\x85"),
)  # fmt: skip
NAMES = (
    *("typo", "num_stepz", "", "1", "~", "true", ".nan", "2020-01-01", "<<", "schlüssel", "键"),
    *("? [a, b]", "? {a: b}", '"two\\nlines"', '"\\e[2J"', "'a: b'", "*a", "&a k", "- k", "😀"),
    *("__class__", "model_config", "codes.noise", "x" * 3000),
)  # fmt: skip


class Outcome(NamedTuple):
    """How one file ended: trained, refused, stopped while training, or failed; and the message."""

    kind: str
    message: str


def damage(original: str, rng: random.Random) -> bytes:
    """The file with one to three damages; each kind of damage is as likely as another."""
    text = original
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = rng.choice(DAMAGES)(text, rng)
    contents = text.encode("utf-8", errors="surrogatepass")
    return rng.choice(ENCODINGS)(contents, rng) if rng.random() < 0.1 else contents


def _value(text: str, rng: random.Random) -> str:
    """Another value for one key."""
    return _replace_value(text, rng, _any_value(rng))


def _number(text: str, rng: random.Random) -> str:
    """Another number for a key that has one: near, or of another magnitude."""
    lines = text.split("\n")
    numeric = [i for i, line in enumerate(lines) if re.match(r" *\w+: *[-\d.]", line)]
    if not numeric:
        return text
    index = rng.choice(numeric)
    head, _, old = lines[index].partition(":")
    try:
        number = float(old.split("#")[0])
    except ValueError:
        number = 1.0
    scaled = number * rng.choice((0, -1, 0.5, 2, 10, 1e3, 1e6, 1e9, 1e30, 1e-3, 1e-9, 1e-30))
    whole = "." not in old and "e" not in old and rng.random() < 0.8
    lines[index] = f"{head}: {round(scaled) if whole else scaled!r}"
    return "\n".join(lines)


def _layout(text: str, rng: random.Random) -> str:
    """Other codes, most of them possible."""
    sizes = [rng.choice((2, 3, 5, 10, 12, 50, 1000)) for _ in range(rng.choice((0, 0, 1, 2, 3, 6)))]
    for key, value in (
        ("noise", rng.choice((0, 0, 1, 5, 62, 200, 10**4, 10**9))),
        ("categorical", sizes * rng.choice((1, 1, 1, 50))),
        ("continuous", rng.choice((0, 0, 1, 2, 5, 30, 1000, 10**9))),
        ("noise_prior", rng.choice(("uniform", "normal"))),
        ("continuous_std", rng.choice(("fixed", "learned"))),
    ):
        text = re.sub(rf"(?m)^  {key}:.*$(\n  - .*)*", f"  {key}: {value}", text, count=1)
    return text


def _drop(text: str, rng: random.Random) -> str:
    """Some lines less."""
    lines = text.split("\n")
    start = rng.randrange(len(lines))
    del lines[start : start + rng.choice((1, 1, 2, 7))]
    return "\n".join(lines)


def _repeat(text: str, rng: random.Random) -> str:
    """Some lines twice."""
    lines = text.split("\n")
    start, target = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[target:target] = lines[start : start + rng.choice((1, 1, 5))]
    return "\n".join(lines)


def _insert(text: str, rng: random.Random) -> str:
    """A key that should not be there."""
    lines = text.split("\n")
    indent = rng.choice(("", "", "  ", "    ", "\t"))
    line = f"{indent}{rng.choice(NAMES)}: {_any_value(rng)}"
    lines.insert(rng.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _rename(text: str, rng: random.Random) -> str:
    """Another name for one key."""
    lines = text.split("\n")
    index = rng.randrange(len(lines))
    lines[index] = re.sub(r"\w+(?=:)", lambda found: rng.choice(NAMES), lines[index], count=1)
    return "\n".join(lines)


def _indent(text: str, rng: random.Random) -> str:
    """Another indentation of one line, or of all by tabs."""
    if rng.random() < 0.2:
        return text.replace("  ", "\t")
    lines = text.split("\n")
    index = rng.randrange(len(lines))
    lines[index] = rng.choice((" ", "    ", "\t", "")) + lines[index].lstrip()
    return "\n".join(lines)


def _characters(text: str, rng: random.Random) -> str:
    """Some characters more, less or other."""
    for _ in range(rng.choice((1, 1, 2, 20))):
        at = rng.randrange(len(text) + 1)
        character = chr(
            rng.choice((rng.randrange(128), rng.randrange(0x3000), rng.randrange(0xD7FF)))
        )
        text = text[:at] + rng.choice(("", character)) + text[at + rng.randrange(2) :]
    return text


def _cut(text: str, rng: random.Random) -> str:
    """An end that is missing, or all but some."""
    at = rng.randrange(len(text) + 1)
    return rng.choice((text[:at], text[at:]))


def _anchors(text: str, rng: random.Random) -> str:
    """Sections that refer to each other, merge keys, and references that grow without end."""
    kind = rng.randrange(5)
    if kind == 0:
        text = re.sub(r"(?m)^maps:.*$", "maps: &m", text)
        return re.sub(r"(?m)^(traverse|classifier):.*$", r"\1:\n  <<: *m", text)
    if kind == 1:
        merge = rng.choice(("*s", "[*s, *s]", "3", "[3]", "{a: 1}", "*unset"))
        return text.replace("codes:", "codes: &s", 1) + f"\n<<: {merge}\n"
    if kind == 2:
        return _replace_value(text, rng, rng.choice(("&a [*a]", "&a {a: *a}", "&a {*a : 1}")))
    levels = rng.choice((3, 9, 12))
    growing = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, levels))
    text = f"l0: &l0 [1, 2]\n{growing}\n{text}"
    return _replace_value(text, rng, f"*l{levels - 1}") if kind == 3 else text


def _large(text: str, rng: random.Random) -> str:
    """About a megabyte of one thing."""
    size = rng.choice((10**4, 10**6))
    kind = rng.randrange(9)
    if kind == 0:
        return rng.choice(("[", "{", "{a: ", "- ", "? ", "!!seq [", "&a [")) * size
    if kind == 1:
        return _replace_value(text, rng, "[" * (size // 2) + "]" * (size // 2))
    if kind == 2:
        return "\n".join(" " * depth + "a:" for depth in range(min(size // 700, 1400)))
    if kind == 3:
        return _replace_value(text, rng, rng.choice("9x1") * size)
    if kind == 4:
        return _replace_value(text, rng, "[" + "1, " * (size // 30) + "1]")
    if kind == 5:
        return text + "\n".join(f"key_{i}: {i}" for i in range(size // 100))
    if kind == 6:
        return _replace_value(text, rng, "[" + ", ".join(map(str, range(size // 60))) + "]")
    if kind == 7:
        return text + rng.choice(("#", " ", "\n", "\t", "é")) * size
    return _replace_value(text, rng, '"' + "é\\n" * (size // 4) + '"')


def _document(text: str, rng: random.Random) -> str:
    """Another document: none, another kind, several, or with directives and other line ends."""
    return rng.choice(
        (
            *("", "\n", "# nothing\n", "---\n", "...\n", "~\n", "- 1\n", "mnist\n", "3\n", "''\n"),
            *("{}", "[]", "{a}", "[a: b]", "key", "? k", ": v", "--- >\n text", "!!map {}"),
            *("%YAML 1.1\n---\n" + text, "%YAML 9.9\n---\n" + text, "%TAG ! x\n---\n" + text),
            *(text + "---\n" + text, text + "...\n", "---\n" + text, "- " + text, text + "]"),
            *(text.replace("\n", "\r\n"), text.replace("\n", "\r"), text.replace(": ", ":")),
            *("\ufeff" + text, text + "\ufeff", text.replace(" ", "\u00a0"), '"' + text + '"'),
            str(yaml.safe_load(original())),
        )
    )


def _bytes(contents: bytes, rng: random.Random) -> bytes:
    """Some bytes that are no text."""
    at = rng.randrange(len(contents) + 1)
    return contents[:at] + rng.randbytes(rng.choice((1, 3, 40))) + contents[at:]


DAMAGES: tuple[Callable[[str, random.Random], str], ...] = (
    *(_value, _value, _value, _number, _number, _layout, _layout, _drop, _repeat, _insert),
    *(_rename, _indent, _characters, _cut, _anchors, _large, _document),
)
ENCODINGS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _bytes,
    lambda contents, rng: rng.randbytes(rng.choice((0, 1, 10, 4000))),
    lambda contents, rng: b"\xef\xbb\xbf" + contents,
    lambda contents, rng: contents.decode(errors="replace").encode("utf-16"),
    lambda contents, rng: contents.decode(errors="replace").encode("latin-1", errors="replace"),
    lambda contents, rng: contents.replace(b"e", b"\x00"),
)


def _any_value(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return str(rng.choice(INTEGERS))
    if kind == 1:
        return repr(rng.choice((1, -1)) * 10 ** rng.uniform(-50, 50))
    return rng.choice(SCALARS)


def _replace_value(text: str, rng: random.Random, value: str) -> str:
    """One `key: value` line of the text with another value."""
    lines = text.split("\n")
    places = [i for i, line in enumerate(lines) if re.match(r" *\w+:", line)]
    if places:
        index = rng.choice(places)
        lines[index] = f"{lines[index].partition(':')[0]}: {value}"
        while lines[index + 1 :] and lines[index + 1].lstrip().startswith("- "):
            del lines[index + 1]  # the list that stood there
    return "\n".join(lines)


class Judge:
    """Says how files end; holds the packed digits and a folder of its own."""

    def __init__(self, scratch: Path) -> None:
        prepare("digits", scratch / "raw", scratch / "data")
        self.images = load_images(scratch / "data", lookup("digits"), "train")
        self.path = scratch / "params.yaml"
        self.backend = Backend(torch.device("cpu"), torch.float32, threads=1)

    def outcome(self, contents: bytes) -> Outcome:
        """Load the file, and train two steps with what it holds."""
        self.path.write_bytes(contents)
        try:
            with time_limit(SECONDS):
                return self._load_and_train()
        except Exception as error:
            return Outcome("FAILED", f"{type(error).__name__}: {str(error)[:500]}")

    def _load_and_train(self) -> Outcome:
        try:
            params = load_params(self.path)
        except InfoGANError as error:
            return _judged("refused", str(error).removeprefix(str(self.path)), NAMES_THE_PLACE)
        capped = with_caps(params)
        try:
            for name in dict.fromkeys(params.objectives):
                objective = OBJECTIVES[name](capped)
                images = self.images
                train(images, capped, objective, params.seeds[0], self.backend, lambda *_: None)
        except InfoGANError as error:
            return _judged("stopped", str(error), NAMES_THE_CAUSE)
        return Outcome("trained", "")


def with_caps(params: Params) -> Params:
    """The parameters on digits, with what would make two steps long cut down to CAPS."""
    values: dict[str, Any] = params.model_dump() | {"dataset": "digits"}
    for key, cap in CAPS.items():
        *sections, name = key.split(".")
        section = values[sections[0]] if sections else values
        section[name] = min(section[name], type(section[name])(cap))
    kept: list[int] = []
    for size in values["codes"]["categorical"]:
        size = min(size, MAX_CATEGORIES - sum(kept))
        kept += [size] if size >= 2 else []
    values["codes"]["categorical"] = kept
    return Params.model_validate(values)


def _judged(kind: str, message: str, place: re.Pattern[str]) -> Outcome:
    if len(message.splitlines()) != 1 or len(message) > 5000:
        return Outcome("FAILED", f"not one short line: {message[:500]!r}")
    if not place.search(message):
        return Outcome("FAILED", f"names no key and no place: {message[:500]}")
    return Outcome(kind, message)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what computes for longer; for the main thread."""

    def give_up(number: int, frame: object) -> None:
        raise TimeoutError(f"took over {seconds} seconds of computing")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def smallest(contents: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """The file without all lines that it can do without and still fail."""
    lines = contents.split(b"\n")
    chunk = max(1, len(lines) // 2)
    while chunk:
        start = 0
        while start < len(lines):
            shorter = lines[:start] + lines[start + chunk :]
            if fails(b"\n".join(shorter)):
                lines = shorter
            else:
                start += chunk
        chunk //= 2
    return b"\n".join(lines)


@cache
def original() -> str:
    """The repository's file."""
    return (Path(__file__).parents[1] / "params.yaml").read_text()


def cases(num_cases: int, seed: int) -> Iterator[bytes]:
    """The files; each depends on the seed and its own number alone."""
    for case in range(num_cases):
        yield damage(original(), random.Random(f"{seed}/{case}"))


def fuzz(num_cases: int, seed: int, scratch: Path) -> tuple[Counter[str], list[bytes]]:
    """How often files ended in which way, and those that failed."""
    judge = Judge(scratch)
    counts: Counter[str] = Counter()
    failures = []
    for case, contents in enumerate(cases(num_cases, seed)):
        outcome = judge.outcome(contents)
        counts[outcome.kind] += 1
        if outcome.kind == "FAILED":
            print(f"case {case}: {outcome.message}", flush=True)
            failures.append(contents)
    return counts, failures


def report_smallest(contents: bytes, scratch: Path) -> None:
    """Print the smallest file that fails as this one does."""
    judge = Judge(scratch)
    wanted = judge.outcome(contents).message.split(":")[0]
    found = smallest(contents, lambda c: judge.outcome(c).message.split(":")[0] == wanted)
    shown = found if len(found) < 4000 else found[:2000] + b" [...] " + found[-2000:]
    print(f"smallest file that fails ({wanted}), {len(found)} bytes:\n{shown!r}")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Damage params.yaml in random ways.")
    options.add_argument("--cases", type=int, default=2000, help="number of files (2000)")
    options.add_argument("--seed", type=int, default=0, help="decides what is damaged (0)")
    given = options.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        counts, failures = fuzz(given.cases, given.seed, Path(folder))
        if failures:
            report_smallest(failures[0], Path(folder))
    shown = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(f"{given.cases} files from seed {given.seed}: {shown}")
    raise SystemExit(bool(failures))
