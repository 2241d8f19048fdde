#!/usr/bin/env python3
"""Runs `preamble sweep`: prompts in slots, an axis of adapted models, a second call, a run that fails.

    sweep_test.py PREAMBLE MODEL

The last line reads `N passed, N failed`.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

TRAIN = """
train-file = "{folder}/data.tsv"
validation-file = "{folder}/data.tsv"
input = "{{text}}"
labels = ["one", "two"]
max-steps = 3
batch-size = 4
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main():
    preamble, model = sys.argv[1:]
    results = []

    def check(name, ok):
        results.append(bool(ok))
        print(f"{'ok  ' if ok else 'FAIL'} {name}")

    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        write(folder, "data.tsv", "text\tlabel\n" + "".join(f"line {i} of text\t{('one', 'two')[i % 2]}\n" for i in range(8)))
        write(folder, "text.txt", "".join(f"This is sentence {i} of a text that says little. " for i in range(200)))
        train = TRAIN.format(folder=folder)

        def sweep(plan, *more):
            return subprocess.run([preamble, "sweep", plan, "--output-dir", out, "--threads", "1", *more], capture_output=True, text=True, check=False)

        lengths = write(folder, "length.toml", f"""
slots = 4
[train]
model = "{model}"{train}
[sweep]
num-virtual-tokens = [2, 5]
seed = [1, 2]
[[plot]]
x = "num-virtual-tokens"
""")
        first = sweep(lengths)
        check("ends well", first.returncode == 0)
        print(first.stderr[-2000:] if first.returncode else "", end="")
        rows = rows_of(os.path.join(out, "length.csv"))
        check("a line for each run", len(rows) == 4)
        check("in one program", "the others in 1 programs" in first.stdout)
        check("as many parameters as rows of the prompt", len({int(r["trainable"]) / int(r["num-virtual-tokens"]) for r in rows}) == 1)
        with open(os.path.join(out, "length.svg"), encoding="utf-8") as file:
            check("a plot", file.read().count("<circle") == 2)
        single = subprocess.run([preamble, "train", "--model", model, "--train-file", f"{folder}/data.tsv", "--validation-file", f"{folder}/data.tsv", "--input",
                                 "{text}", "--labels", "one,two", "--max-steps", "3", "--batch-size", "4", "--num-virtual-tokens", "5", "--seed", "2",
                                 "--output-dir", f"{folder}/single", "--json", f"{folder}/single.jsonl", "--threads", "1"],
                                capture_output=True, text=True, check=False)
        with open(f"{folder}/single.jsonl", encoding="utf-8") as file:
            done = json.loads(file.readlines()[-1]) if single.returncode == 0 else {}
        mine = [r for r in rows if r["num-virtual-tokens"] == "5" and r["seed"] == "2"]
        check("a slot ends with the loss of its own run", len(mine) == 1 and float(mine[0]["last_loss"]) == float(f"{done.get('last_loss', 0):.6g}"))
        second = sweep(lengths)
        check("a second call runs nothing", second.returncode == 0 and "4 runs, 4 of them done" in second.stdout and rows_of(os.path.join(out, "length.csv")) == rows)

        adapted = write(folder, "adaptation.toml", f"""
[adapt]
model = "{model}"
objective = "prefix-lm"
train-file = "{folder}/text.txt"
max-source-length = 32
max-target-length = 16
batch-size = 2
[train]{train}
[sweep]
adaptation-steps = [0, 2, 6]
[evaluate]
file = "{folder}/data.tsv"
[[plot]]
x = "adaptation-steps"
""")
        third = sweep(adapted)
        check("adapts and trains", third.returncode == 0)
        print(third.stderr[-2000:] if third.returncode else "", end="")
        rows = rows_of(os.path.join(out, "adaptation.csv"))
        check("a line for each number of adaptation steps", [r["adaptation-steps"] for r in rows] == ["0", "2", "6"])
        check("the models differ", len({r["last_loss"] for r in rows}) == 3)
        check("evaluated with the adapted model", all(r["test_accuracy"] == r["accuracy"] for r in rows))
        copies = sorted(name for name in os.listdir(os.path.join(out, "adaptation-adapted")) if name.startswith("checkpoint-"))
        check("copies at these steps alone", copies == ["checkpoint-0", "checkpoint-2", "checkpoint-6"])
        plain = write(folder, "plain.toml", f'[train]\nmodel = "{model}"{train}\n[sweep]\nmax-steps = [3]\n')
        sweep(plain)
        check("no steps are the model itself", rows_of(os.path.join(out, "plain.csv"))[0]["last_loss"] == rows[0]["last_loss"])

        broken = write(folder, "broken.toml", f'[train]\nmodel = "{model}"{train}\n[sweep]\nlearning-rate = [1e38, 0.01]\n')
        fourth = sweep(broken)
        check("a run that fails is told at the end", fourth.returncode == 1 and "1 runs have failed" in fourth.stderr and "not finite" in fourth.stderr)
        check("and the other has a line", [r["learning-rate"] for r in rows_of(os.path.join(out, "broken.csv"))] == ["0.01"])
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
