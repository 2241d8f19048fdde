"""What runs of `preamble train` and `preamble adapt` have logged."""
import json
import os


def losses(folder):
    """Losses and scores by step; a step that was made twice must have given the same bits both times."""
    found = {}
    with open(os.path.join(folder, "log.jsonl")) as f:
        for line in f:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut off by a kill
            if "loss" in entry and found.setdefault(entry["step"], (entry["loss"], entry.get("eval"))) != (entry["loss"], entry.get("eval")):
                raise AssertionError(f"step {entry['step']} gave {found[entry['step']]} and {entry}")
    return found
