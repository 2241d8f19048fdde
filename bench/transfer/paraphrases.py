#!/usr/bin/env python3
"""Makes sets for `preamble transfer` out of STS-B: pairs of one genre in, pairs of another out, and the other way round.

A pair whose score is at least 4 of 5 is a paraphrase, one whose score is at most 2 is none; pairs between are left out. The columns of the news are called otherwise and their label is a word, as QQP's are
beside MRPC's; the options of the JSON files translate them.

    bench/transfer/paraphrases.py STS-B-FOLDER OUT
"""

import json
import pathlib
import sys

GENRES = {
    "captions": {"columns": ("sentence1", "sentence2", "label"), "words": ("0", "1")},
    "news": {"columns": ("question1", "question2", "same"), "words": ("no", "yes")},
}
METHODS = {
    "prompt": ["--num-virtual-tokens", "20", "--optim", "adamw", "--weight-decay", "0", "--learning-rate", "0.05", "--lr-scheduler-type", "linear",
               "--max-steps", "400", "--batch-size", "16", "--eval-steps", "200"],
    "full": ["--optim", "adamw", "--weight-decay", "0", "--learning-rate", "5e-4", "--lr-scheduler-type", "linear", "--max-steps", "400",
             "--batch-size", "16", "--eval-steps", "200"],
}


def pairs_of(path, genre):
    rows = [line.rstrip("\n").split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    scored = [(row[7], row[8], float(row[9])) for row in rows if len(row) > 9 and row[1] == f"main-{genre}"]
    return [(one, other, score >= 4) for one, other, score in scored if score >= 4 or score <= 2]


def write(path, genre, pairs):
    facts = GENRES[genre]
    lines = ["\t".join(facts["columns"])] + ["\t".join((one, other, facts["words"][same])) for one, other, same in pairs]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def options(genre):
    first, second, label = GENRES[genre]["columns"]
    no, yes = GENRES[genre]["words"]
    template = f"{first}: {{{first}}} {second}: {{{second}}}"
    return ["--input", template, "--labels", f"{no}=different,{yes}=equal", "--label-column", label]


def main():
    source, out = map(pathlib.Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    for genre in GENRES:
        for part in ("train", "dev"):
            write(out / f"{genre}.{part}.tsv", genre, pairs_of(source / f"{part}.tsv", genre))
    for genre, other in (("captions", "news"), ("news", "captions")):
        sets = {
            "train": {"name": genre, "train_file": f"{genre}.train.tsv", "validation_file": f"{genre}.dev.tsv", "options": options(genre)},
            "evaluate": [{"name": other, "file": f"{other}.dev.tsv", "options": options(other)}],
            "methods": METHODS,
        }
        (out / f"from-{genre}.json").write_text(json.dumps(sets, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
