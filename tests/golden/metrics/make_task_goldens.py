#!/usr/bin/env python3
"""Writes task_scores.json: what T5's own evaluation says of predictions that were made up for each task.

  pip download --no-deps t5==0.9.4 && unzip t5-0.9.4-*.whl     # needs none of its dependencies but these:
  pip install scikit-learn scipy numpy
  python3 make_task_goldens.py FOLDER-WITH-t5

The metrics, the texts' translation into classes and the list of metrics of each task are T5's (t5/evaluation, t5/data/postprocessors.py,
t5/data/glue_utils.py); of TensorFlow they use `as_text` alone, which is defined here.
"""
import importlib.util
import json
import random
import sys
import types
from pathlib import Path
from unittest import mock

HERE = Path(__file__).parent
CLASSES = {
    "glue/cola": {"0": "unacceptable", "1": "acceptable"},
    "glue/sst2": {"0": "negative", "1": "positive"},
    "glue/mrpc": {"0": "not_equivalent", "1": "equivalent"},
    "glue/qqp": {"0": "not_duplicate", "1": "duplicate"},
    "glue/mnli": {"entailment": "entailment", "neutral": "neutral", "contradiction": "contradiction"},
    "glue/mnli_mismatched": {"entailment": "entailment", "neutral": "neutral", "contradiction": "contradiction"},
    "glue/qnli": {"entailment": "entailment", "not_entailment": "not_entailment"},
    "glue/rte": {"entailment": "entailment", "not_entailment": "not_entailment"},
    "glue/wnli": {"0": "not_entailment", "1": "entailment"},
    "superglue/boolq": {"false": "False", "true": "True"},
    "superglue/cb": {"entailment": "entailment", "contradiction": "contradiction", "neutral": "neutral"},
    "superglue/copa": {"0": "choice1", "1": "choice2"},
    "superglue/multirc": {"0": "False", "1": "True"},
    "superglue/rte": {"entailment": "entailment", "not_entailment": "not_entailment"},
    "superglue/wic": {"false": "False", "true": "True"},
}
JUNK = ["", " ", "true", "FALSE", "Entailment", "entailment.", "not equivalent", "choice", "choice3", "<extra_id_0>", "1", "unacceptable "]
NAMES = ["Bob", "the Green Otter", "a Green Otter", "Bob Dylan", "Dylan's hat", "an old mill", "St. John's", "The A-Team", "3 kites", "kites", "", "the"]
REFERENTS = ["Bob", "the old mill", "Bob's hat", "The fuzzy Bunny", "my aunt", "a few kites", "their", "Mr.  Green"]
SAID = ["bob", " Bob ", "the mill", "mill", "an old mill", "bob's", "Bob's hat", "hat", "bunny", "a fuzzy bunny", "Fuzzy  bunny", "", "the", "  ", "aunt", "kites",
        "these kites", "Mr. Green", "mr.", "nobody", "their"]


def t5_modules(folder):
    """T5's modules without its package, whose import wants TensorFlow."""
    as_text = types.SimpleNamespace(compat=types.SimpleNamespace(as_text=lambda x: x))
    for name in ("absl", "absl.logging", "editdistance", "sacrebleu", "rouge_score", "tensorflow", "tensorflow.compat", "t5", "t5.data", "t5.evaluation",
                 "t5.data.preprocessors"):
        sys.modules[name] = mock.MagicMock()
    sys.modules["tensorflow.compat.v2"] = as_text
    sys.modules["tensorflow"].compat = sys.modules["tensorflow.compat"]
    sys.modules["tensorflow.compat"].v2 = as_text

    def load(name, path):
        spec = importlib.util.spec_from_file_location(name, Path(folder) / path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        setattr(sys.modules[parent], child, module)
        spec.loader.exec_module(module)
        return module

    load("t5.evaluation.qa_utils", "t5/evaluation/qa_utils.py")
    metrics = load("t5.evaluation.metrics", "t5/evaluation/metrics.py")
    post = load("t5.data.postprocessors", "t5/data/postprocessors.py")
    glue = load("t5.data.glue_utils", "t5/data/glue_utils.py")
    return metrics, post, glue


def scores_of(functions, targets, predictions):
    scores = {}
    for function in functions:
        for name, value in function(targets, predictions).items():
            scores[name] = float(value) / 100  # T5's are per cent
    return scores


def main():
    metrics, post, glue = t5_modules(sys.argv[1])
    draw = random.Random(20191023)
    cases = []

    def add(task, rows, predictions, scores):
        cases.append({"task": task, "rows": rows, "predictions": predictions, "scores": scores})

    for task, words in CLASSES.items():
        benchmark, name = task.split("/")
        functions = glue.GLUE_METRICS[name] if benchmark == "glue" else glue.SUPERGLUE_METRICS[name]
        labels, classes = list(words), list(words.values())
        for junk in (0.0, 0.15):
            rows, predictions = [], []
            for i in range(60):
                label = draw.choice(labels)
                rows.append({"label": label} | ({"group": i // 3} if name == "multirc" else {}))
                right = draw.random() < 0.6
                said = words[label] if right else draw.choice(classes)
                predictions.append(draw.choice([x for x in JUNK if x not in classes]) if draw.random() < junk else said)
            if name == "multirc":
                targets = [post.multirc(words[row["label"]], {"idx/question": row["group"]}, True) for row in rows]
                mapped = [post.multirc(text) for text in predictions]
            else:
                targets = [classes.index(words[row["label"]]) for row in rows]
                mapped = [post.string_label_to_class_id(text, classes) for text in predictions]
            add(task, rows, predictions, scores_of(functions, targets, mapped))

    rows = [{"target": f"{draw.randrange(26) / 5:.1f}"} for _ in range(50)]
    predictions = [draw.choice([row["target"], f"{draw.randrange(26) / 5:.1f}", "3.14", " 2.0 ", "1e0", "four", "", "+1.5", "2,5"]) for row in rows]
    add("glue/stsb", rows, predictions,
        scores_of(glue.GLUE_METRICS["stsb"], [float(row["target"]) for row in rows], [post.string_to_float(text) for text in predictions]))

    rows, predictions = [], []
    for i in range(40):
        answers = draw.sample(NAMES[:10], draw.randint(1, 3))
        for answer in answers[:draw.randint(1, 2)]:
            rows.append({"target": answer, "answers": answers, "group": i})
            predictions.append(draw.choice([draw.choice(answers), draw.choice(NAMES), draw.choice(answers).upper() + "!", draw.choice(NAMES) + " " + answer]))
    targets = [post.record(row["target"], {"answers": row["answers"], "idx/passage": row["group"], "idx/query": 0}, True) for row in rows]
    add("superglue/record", rows, predictions, scores_of(glue.SUPERGLUE_METRICS["record"], targets, [post.record(text) for text in predictions]))

    for task in ("squad", "mrqa/TextbookQA"):
        rows, predictions = [], []
        for _ in range(60):
            answers = draw.sample(NAMES, draw.randint(1, 3))
            rows.append({"target": answers[0], "answers": answers})
            predictions.append(draw.choice([draw.choice(answers), draw.choice(NAMES), " the " + draw.choice(answers).lower() + " .", "otter green green"]))
        add(task, rows, predictions, scores_of([metrics.squad], [post.qa(None, row, True) for row in rows], [post.qa(text) for text in predictions]))

    rows = [{"target": draw.choice(REFERENTS), "label": draw.choice(["false", "true"])} for _ in range(80)]
    predictions = [draw.choice([row["target"], draw.choice(SAID)]) for row in rows]
    mapped = [post.wsc_simple(text, {"targets_pretokenized": row["target"]}) for text, row in zip(predictions, rows, strict=True)]
    add("superglue/wsc", rows, predictions, scores_of([metrics.accuracy], [row["label"] == "true" for row in rows], mapped))

    (HERE / "task_scores.json").write_text(json.dumps(cases, separators=(",", ":")).replace('{"task"', '\n{"task"') + "\n", encoding="utf-8")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
