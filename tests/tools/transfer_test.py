#!/usr/bin/env python3
"""Runs `preamble transfer` on small sets with translated labels, twice, and with another call in the same folder.

    transfer_test.py PREAMBLE MODEL

The last line reads `N passed, N failed`.
"""
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile


def write_table(path, columns, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.write("\t".join(columns) + "\n")
        for row in rows:
            file.write("\t".join(row) + "\n")


def write_sets(folder, steps):
    pairs = [(f"line {i} of text", f"line {i % 3} of text", "1" if i % 3 == i else "0") for i in range(12)]
    write_table(os.path.join(folder, "a.tsv"), ["sentence1", "sentence2", "label"], pairs)
    write_table(os.path.join(folder, "b.tsv"), ["question1", "question2", "same"], [(b, a, "yes" if c == "1" else "no") for a, b, c in pairs])
    sets = {
        "train": {
            "name": "a",
            "train_file": "a.tsv",
            "validation_file": "a.tsv",
            "options": ["--input", "sentence1: {sentence1} sentence2: {sentence2}", "--labels", "0=different,1=equal"],
        },
        "evaluate": [
            {
                "name": "b",
                "file": "b.tsv",
                "options": ["--input", "question1: {question1} question2: {question2}", "--labels", "no=different,yes=equal", "--label-column", "same"],
            }
        ],
        "methods": {
            "prompt": ["--max-steps", str(steps), "--batch-size", "4", "--num-virtual-tokens", "2"],
            "full": ["--max-steps", str(steps), "--batch-size", "4", "--learning-rate", "1e-4"],
        },
    }
    path = os.path.join(folder, "sets.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(sets, file)
    return path


def main():
    preamble, model = sys.argv[1:]
    results = []

    def check(name, ok):
        results.append(bool(ok))
        print(f"{'ok  ' if ok else 'FAIL'} {name}")

    with tempfile.TemporaryDirectory() as folder:
        table = os.path.join(folder, "table.csv")
        command = [preamble, "transfer", "--model", model, "--sets", write_sets(folder, 3), "--output-dir", os.path.join(folder, "out"), "--seeds", "1,2",
                   "--threads", "1", "--csv", table, "--json"]
        first = subprocess.run(command, capture_output=True, text=True, check=False)
        check("ends well", first.returncode == 0)
        print(first.stderr[-2000:] if first.returncode else "", end="")
        found = json.loads(first.stdout or '{"results": []}')
        places = {(r["evaluated_on"], r["metric"]): r for r in found["results"]}
        check("both sets, by accuracy", ("a", "accuracy") in places and ("b", "accuracy") in places)
        for place in places.values():
            for method in ("prompt", "full"):
                values = place[method]["values"]
                ok = len(values) == 2 and abs(place[method]["mean"] - statistics.mean(values)) < 1e-12
                ok = ok and abs(place[method]["deviation"] - statistics.stdev(values)) < 1e-12
                check(f"{place['evaluated_on']} {place['metric']} {method}: mean and deviation of two seeds", ok)
            check("the gap", abs(place["gap"] - (place["prompt"]["mean"] - place["full"]["mean"])) < 1e-12)
        with open(table, encoding="utf-8", newline="") as file:
            check("a line for each run", len(list(csv.DictReader(file))) == 4 * len(places))
        # what evaluation alone says
        alone = subprocess.run([preamble, "eval", "--model", model, "--adapter", os.path.join(folder, "out", "prompt-seed2"), "--file",
                                os.path.join(folder, "b.tsv"), "--input", "question1: {question1} question2: {question2}", "--labels",
                                "no=different,yes=equal", "--label-column", "same", "--json", "--threads", "1"], capture_output=True, text=True, check=False)
        check("the number of `eval`", json.loads(alone.stdout)["accuracy"] == places["b", "accuracy"]["prompt"]["values"][1])
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        check("a second call computes nothing and says the same", second.stdout == first.stdout and "preamble train" not in second.stderr)
        write_sets(folder, 4)
        third = subprocess.run(command, capture_output=True, text=True, check=False)
        check("another run in the same folder is refused", third.returncode == 1 and "belongs to another run" in third.stderr)
        with open(os.path.join(folder, "sets.json"), "w", encoding="utf-8") as file:
            file.write('{"train": {"name": "a", "train_file": "a.tsv", "option": []}, "evaluate": []}')
        fourth = subprocess.run(command, capture_output=True, text=True, check=False)
        check("an unknown field is refused", fourth.returncode == 1 and "field 'option'" in fourth.stderr)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
