#!/usr/bin/env python3
"""Kills ranks of `mpirun preamble train`, or lets them hang, at moments of every kind; the run must end soon and go on from what was saved.

    rank_kills.py MPIRUN PREAMBLE MODEL [--ranks 3] [--random 6] [--moments 'in a step,at the end'] [--light]

Each rank is killed (SIGKILL) or stopped (SIGSTOP) when it starts, before the first step, in a step, in an evaluation, while the state is written,
and at the end; further moments are random, and in one the launcher itself is killed. Every run must end within the time that ranks wait for each other,
with a status that is not 0, and `--resume` must then give the bits of a straight run. The last line reads `N passed, N failed`.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from rank_runs import ENVIRONMENT, Checks, Runs, folder_in, pids_of, trained, write_data
from run_logs import losses

PATIENCE = float(os.environ.get("RANK_PATIENCE", "6"))
# the runs of errors take turns, mpirun waits for what it ends, and the machine may be busy
MARGIN = 60
STEPS = 36


def lines_of(folder):
    try:
        with open(os.path.join(folder, "log.jsonl"), "rb") as f:
            return f.read().count(b"\n")
    except OSError:
        return -1


def being_saved(folder):
    return any(name.startswith(".trainer_state") for name in os.listdir(folder))


def saved(folder):
    return os.path.exists(os.path.join(folder, "adapter_model.safetensors"))


# has the run that writes to a folder come so far?
MOMENTS = {
    "when it starts": lambda folder, pids: True,
    "before the first step": lambda folder, pids: lines_of(folder) == 0,
    "in a step": lambda folder, pids: lines_of(folder) >= 8,
    # the line of a step with an evaluation is written behind it
    "in an evaluation": lambda folder, pids: lines_of(folder) == 11,
    "while the state is written": lambda folder, pids: lines_of(folder) >= 10 and being_saved(folder),
    "at the end": lambda folder, pids: saved(folder),
}


class Kills:
    def __init__(self, runs, checks, top, ranks):
        self.runs, self.checks, self.top, self.count = runs, checks, top, ranks
        self.data = write_data(os.path.join(top, "data.tsv"), 48)
        self.extra = ["--save-steps", "1", "--resume", "--dropout", "0.1"]
        self.straight = folder_in(top, "straight")
        start = time.monotonic()
        result = runs.ranks(ranks, *self.arguments(self.straight))
        self.length = time.monotonic() - start
        checks.that(result.returncode == 0, "a straight run", result.stderr[-2000:])
        self.number = 0

    def arguments(self, folder, *more):
        return self.runs.train(folder, self.data, *self.extra, *more, steps=STEPS)

    def check(self, rank, stop, what, come):
        """`rank` -1: the launcher."""
        self.number += 1
        folder = folder_in(self.top, f"moment-{self.number}")
        errors = open(os.path.join(self.top, f"errors-{self.number}"), "w+")
        process = subprocess.Popen(self.runs.command(self.count, *self.arguments(folder, "--collective-timeout", PATIENCE)), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=errors,
                                   stdin=subprocess.DEVNULL)
        name = f"{'the launcher' if rank < 0 else f'rank {rank}'} {'hangs' if stop else 'is killed'} {what}"
        pids = {}
        while process.poll() is None:
            if len(pids) < self.count:
                pids = pids_of(folder)
            if (rank in pids or (rank < 0 and len(pids) == self.count)) and come(folder, pids):
                break
            time.sleep(0.001)
        hit = process.poll() is None
        if hit:
            try:
                os.kill(process.pid if rank < 0 else pids[rank], signal.SIGSTOP if stop else signal.SIGKILL)
            except ProcessLookupError:
                hit = False
        begin = time.monotonic()
        try:
            process.wait(timeout=PATIENCE + MARGIN)
        except subprocess.TimeoutExpired:
            pass
        while pids_of(folder) and time.monotonic() - begin < PATIENCE + MARGIN:
            time.sleep(0.05)
        took = time.monotonic() - begin
        errors.seek(0)
        text = errors.read()
        left = pids_of(folder)
        self.checks.that(process.poll() is not None and not left, f"{name}: all ranks end", f"after {took:.1f} s: {left} left; {text}")
        for pid in left.values():
            os.kill(pid, signal.SIGKILL)
        if process.poll() is None:
            process.kill()
            process.wait()
        # a rank that has left may be hit too late to matter: then all is done
        done = process.returncode == 0
        self.checks.that(not done or saved(folder), f"{name}: status 0 of an unfinished run", text)
        if hit and stop and not done:
            self.checks.that(f"from rank {rank}" in text or "not all processes" in text, f"{name}: the error says so", text)
        again = self.runs.ranks(self.count, *self.arguments(folder))
        self.checks.that(again.returncode == 0, f"{name}: resumed", again.stderr[-2000:])
        if again.returncode == 0:
            equal = trained(folder) == trained(self.straight) and losses(folder) == losses(self.straight)
            self.checks.that(equal, f"{name}: the resumed run equals a straight one")
        print(f"{name}: {'too late, ' if not hit else ''}status {process.returncode} after {took:.1f} s", flush=True)

    def systematic(self, cases):
        for what, rank, stop in cases:
            self.check(rank, stop, what, MOMENTS[what])

    def random(self, count, rng):
        for _ in range(count):
            fraction = rng.random()
            end = time.monotonic() + fraction * self.length
            self.check(rng.randrange(self.count), rng.random() < 0.5, f"at {100 * fraction:.0f} % of the time", lambda *_: time.monotonic() > end)


def kill(runs, checks, ranks, light, count, seed, moments=tuple(MOMENTS)):
    with tempfile.TemporaryDirectory() as top:
        kills = Kills(runs, checks, top, ranks)
        if light:
            kills.systematic([("when it starts", 1, True), ("in a step", 0, False), ("in an evaluation", 1, True), ("while the state is written", 1, False),
                              ("at the end", 0, True)])
        else:
            # every moment and rank, by turns with both signals
            kills.systematic((what, rank, (i + rank) % 2 == 1) for i, what in enumerate(MOMENTS) if what in moments for rank in range(ranks))
        if light or "in a step" in moments:
            kills.check(-1, False, "in a step", MOMENTS["in a step"])
        kills.random(count, random.Random(seed))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mpirun")
    parser.add_argument("preamble")
    parser.add_argument("model")
    parser.add_argument("--ranks", type=int, default=3)
    parser.add_argument("--random", type=int, default=6, help="number of random moments")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments")
    parser.add_argument("--moments", default=",".join(MOMENTS), help="which of the moments of every rank; all unless given")
    parser.add_argument("--light", action="store_true", help="a few moments alone")
    args = parser.parse_args()
    print(f"seed {args.seed}")
    checks = Checks()
    kill(Runs(args.mpirun, args.preamble, args.model), checks, args.ranks, args.light, args.random, args.seed,
         args.moments.split(","))
    return checks.report()


if __name__ == "__main__":
    sys.exit(main())
