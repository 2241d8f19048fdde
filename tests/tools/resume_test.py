#!/usr/bin/env python3
"""Kills `preamble train` and `preamble adapt` with SIGKILL at random moments and resumes them; the result must equal a straight run's bit for bit.

    resume_test.py PREAMBLE MODEL

The last line reads `N passed, N failed`.
"""
import functools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from run_logs import losses

STEPS = 120


def train_command(preamble, model, folder, data, extra):
    return [preamble, "train", "--model", model, "--train-file", data, "--validation-file", data, "--input", "{text}", "--labels", "yes,no",
            "--label-column", "label", "--num-virtual-tokens", "4", "--prompt-tuning-init", "sample_vocab", "--max-steps", str(STEPS), "--batch-size", "4",
            "--learning-rate", "0.05", "--lr-scheduler-type", "linear", "--max-grad-norm", "1", "--eval-steps", "30", "--save-steps", "1", "--seed", "3",
            "--output-dir", folder, "--json", os.path.join(folder, "log.jsonl"), "--threads", "1"] + extra


def content(folder, name):
    with open(os.path.join(folder, name), "rb") as f:
        return f.read()


def adapt_command(preamble, model, folder, data, extra):
    return [preamble, "adapt", "--model", model, "--train-file", data, "--validation-file", data, "--objective", "span-corruption", "--documents",
            "line", "--max-source-length", "16", "--shuffle-windows", "8", "--trainable-layers", "1", "--max-steps", str(STEPS), "--batch-size", "2",
            "--learning-rate", "0.01", "--dropout", "0.1", "--validation-windows", "4", "--eval-steps", "30", "--save-steps", "1", "--seed", "3",
            "--output-dir", folder, "--json", os.path.join(folder, "log.jsonl"), "--threads", "1"] + extra


def killed_and_resumed(top, command, model_file, kills, rng):
    """Whether each check of such a run holds, by its name."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    straight, broken = os.path.join(top, "straight"), os.path.join(top, "broken")
    for folder in (straight, broken):
        os.makedirs(folder)
    start = time.monotonic()
    subprocess.run(command(straight, []), check=True, **quiet)
    length = time.monotonic() - start
    for _ in range(kills):
        process = subprocess.Popen(command(broken, ["--resume"]), **quiet)
        time.sleep(rng.uniform(0.02, 0.25) * length)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(broken, ["--resume"]), check=True, **quiet)
    leftovers = [name for name in os.listdir(broken) if name.startswith(".")]
    expected = losses(straight)

    def every_loss():
        return losses(broken) == expected and len(expected) == STEPS

    return {
        "every step's loss": every_loss,
        "what was trained": lambda: content(broken, model_file) == content(straight, model_file),
        "the training state": lambda: content(broken, "trainer_state.safetensors") == content(straight, "trainer_state.safetensors"),
        "at most one temporary file a kill": lambda: len(leftovers) <= kills,
    }


def main():
    preamble, model = sys.argv[1:]
    rng = random.Random(int(time.time()))
    passed = failed = 0
    for make, model_file, kills in ((train_command, "adapter_model.safetensors", 10), (adapt_command, "model.safetensors", 6)):
        with tempfile.TemporaryDirectory() as top:
            data = os.path.join(top, "data.tsv")
            with open(data, "w") as f:
                f.write("text\tlabel\n")
                for i in range(24):
                    f.write(f"this is line {i} of some text\t{'yes' if i % 3 else 'no'}\n")
            command = functools.partial(make, preamble, model)
            checks = killed_and_resumed(top, lambda folder, extra: command(folder, data, extra), model_file, kills, rng)
            for name, check in checks.items():
                try:
                    ok = check()
                except AssertionError as error:
                    ok, name = False, f"{name}: {error}"
                passed, failed = passed + ok, failed + (not ok)
                print(f"{'ok  ' if ok else 'FAIL'} {make.__name__} after {kills} kills: {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
