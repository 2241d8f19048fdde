#!/usr/bin/env python3
"""Makes sets for `preamble transfer` out of two files in SQuAD's format: questions about one in, questions about the other out, and the other
way round.

Only paragraphs of at most --characters are taken; of the articles the first ones (two thirds of the questions at most) are trained on, the
others evaluated on, so that no article is in both. NAME is what the set is called.

    bench/transfer/questions.py NAME=FILE NAME=FILE OUT [--characters 700] [--train 4000] [--dev 400]
"""

import argparse
import json
import pathlib

METHODS = {
    "prompt": ["--num-virtual-tokens", "20", "--optim", "adamw", "--weight-decay", "0", "--learning-rate", "0.05", "--lr-scheduler-type", "linear"],
    "full": ["--optim", "adamw", "--weight-decay", "0", "--learning-rate", "5e-4", "--lr-scheduler-type", "linear"],
}


def short(path, characters):
    """Articles with their short paragraphs alone."""
    articles = []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        paragraphs = [p for p in article["paragraphs"] if len(p["context"]) <= characters and p["qas"]]
        if paragraphs:
            articles.append({"title": article.get("title", ""), "paragraphs": paragraphs})
    return articles


def first_questions(articles, most):
    """Whole articles until there are so many questions, and the articles behind them."""
    taken, count = [], 0
    for i, article in enumerate(articles):
        if count >= most:
            return taken, articles[i:]
        room = most - count
        paragraphs = []
        for paragraph in article["paragraphs"]:
            questions = paragraph["qas"][:room]
            room -= len(questions)
            count += len(questions)
            if questions:
                paragraphs.append(paragraph | {"qas": questions})
        taken.append(article | {"paragraphs": paragraphs})
    return taken, []


def write(path, articles):
    path.write_text(json.dumps({"version": "1.1", "data": articles}), encoding="utf-8")
    return sum(len(p["qas"]) for a in articles for p in a["paragraphs"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs=2, metavar="NAME=FILE")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--characters", type=int, default=700)
    parser.add_argument("--train", type=int, default=4000, help="questions to train on, at most")
    parser.add_argument("--dev", type=int, default=400, help="questions to evaluate on, at most")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=16)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    names = []
    for pair in given.sets:
        name, _, file = pair.partition("=")
        articles = short(pathlib.Path(file), given.characters)
        questions = sum(len(p["qas"]) for a in articles for p in a["paragraphs"])
        train, rest = first_questions(articles, min(given.train, 2 * questions // 3))
        dev, _ = first_questions(rest, given.dev)
        print(f"{name}: {write(given.out / f'{name}.train.json', train)} questions to train on, {write(given.out / f'{name}.dev.json', dev)} to evaluate on")
        names.append(name)
    loop = ["--max-steps", str(given.steps), "--batch-size", str(given.batch_size)]
    task = ["--task-name", "squad"]
    for name, other in (names, reversed(names)):
        sets = {
            "train": {"name": name, "train_file": f"{name}.train.json", "validation_file": f"{name}.dev.json", "options": task},
            "evaluate": [{"name": other, "file": f"{other}.dev.json", "options": task}],
            "methods": {method: options + loop for method, options in METHODS.items()},
        }
        (given.out / f"from-{name}.json").write_text(json.dumps(sets, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
