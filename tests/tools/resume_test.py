#!/usr/bin/env python3
"""Kills `preamble train` with SIGKILL at random moments and resumes it; the result must equal a straight run's bit for bit.

    resume_test.py PREAMBLE MODEL

The last line reads `N passed, N failed`.
"""
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

STEPS = 120


def command(preamble, model, folder, data, extra):
    return [preamble, "train", "--model", model, "--train-file", data, "--validation-file", data, "--input", "{text}", "--labels", "yes,no",
            "--label-column", "label", "--num-virtual-tokens", "4", "--prompt-tuning-init", "sample_vocab", "--max-steps", str(STEPS), "--batch-size", "4",
            "--learning-rate", "0.05", "--lr-scheduler-type", "linear", "--max-grad-norm", "1", "--eval-steps", "30", "--save-steps", "1", "--seed", "3",
            "--output-dir", folder, "--json", os.path.join(folder, "log.jsonl"), "--threads", "1"] + extra


def losses(folder):
    """Loss of each step; a step that was run twice must have given the same bits both times."""
    found = {}
    with open(os.path.join(folder, "log.jsonl")) as f:
        for line in f:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut off by the kill
            if "loss" in entry and found.setdefault(entry["step"], entry["loss"]) != entry["loss"]:
                raise AssertionError(f"step {entry['step']} gave {found[entry['step']]} and {entry['loss']}")
    return found


def content(folder, name):
    with open(os.path.join(folder, name), "rb") as f:
        return f.read()


def main():
    preamble, model = sys.argv[1:]
    rng = random.Random(int(time.time()))
    passed = failed = 0
    with tempfile.TemporaryDirectory() as top:
        data = os.path.join(top, "data.tsv")
        with open(data, "w") as f:
            f.write("text\tlabel\n")
            for i in range(24):
                f.write(f"this is line {i} of some text\t{'yes' if i % 3 else 'no'}\n")
        straight = os.path.join(top, "straight")
        os.makedirs(straight)
        start = time.monotonic()
        subprocess.run(command(preamble, model, straight, data, []), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        length = time.monotonic() - start
        expected = losses(straight)
        broken = os.path.join(top, "broken")
        os.makedirs(broken)
        kills = 0
        while kills < 10:
            process = subprocess.Popen(command(preamble, model, broken, data, ["--resume"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.02, 0.25) * length)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        subprocess.run(command(preamble, model, broken, data, ["--resume"]), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        leftovers = [name for name in os.listdir(broken) if name.startswith(".")]
        checks = {
            "every step's loss": lambda: losses(broken) == expected and len(expected) == STEPS,
            "the adapter": lambda: content(broken, "adapter_model.safetensors") == content(straight, "adapter_model.safetensors"),
            "the training state": lambda: content(broken, "trainer_state.safetensors") == content(straight, "trainer_state.safetensors"),
            "at most one temporary file a kill": lambda: len(leftovers) <= kills,
        }
        for name, check in checks.items():
            try:
                ok = check()
            except AssertionError as error:
                ok, name = False, f"{name}: {error}"
            passed, failed = passed + ok, failed + (not ok)
            print(f"{'ok  ' if ok else 'FAIL'} after {kills} kills: {name}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
