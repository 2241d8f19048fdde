#!/usr/bin/env python3
"""Runs `preamble` on several processes with mpirun: equal bits to one process, shards, sweeps, errors that name the rank, kills.

    processes_test.py MPIRUN PREAMBLE DEMO_MODEL

The last line reads `N passed, N failed`.
"""
import csv
import json
import os
import pathlib
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time

import nano_models
from rank_kills import kill
from rank_runs import ENVIRONMENT, TIMEOUT, Checks, Runs, folder_in, pids_of, trained, write_data
from run_logs import losses


def script(top, name, text):
    """A program of a few lines of shell."""
    path = os.path.join(top, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def text_of(result):
    return f"status {result.returncode}\n{result.stdout[-1000:]}\n{result.stderr[-3000:]}"


def equal_runs(checks, runs, top, name, count, make):
    """`make(folder)` gives the arguments of a training: `count` ranks must make the bits of `count` parts on one process."""
    one, many = folder_in(top, f"{name}-one"), folder_in(top, f"{name}-many")
    first = runs.alone(*make(one), "--gradient-accumulation-steps", count)
    second = runs.ranks(count, *make(many))
    checks.that(first.returncode == 0 and second.returncode == 0, name, text_of(first) + text_of(second))
    if first.returncode == 0 and second.returncode == 0:
        checks.that(trained(one) == trained(many), f"{name}: what is trained is equal")
        checks.that(losses(one) == losses(many), f"{name}: losses and scores are equal")
    return one


def equal_bits(checks, runs, top, data):
    # the same on small T5, GPT-2 and BERT models, in one process: tests/peft/ranks_test.cpp
    cases = {"prompt": ["--learning-rate", "0.05"], "full": ["--method", "full", "--learning-rate", "0.001"]}
    for name, extra in cases.items():
        for dropout in ("0", "0.1"):
            for count in (2, 4):
                equal_runs(checks, runs, top, f"{name}, dropout {dropout}, {count} ranks", count,
                           lambda folder: runs.train(folder, data, *extra, "--dropout", dropout))
    single, mpi = folder_in(top, "single"), folder_in(top, "mpi")
    runs.alone(*runs.train(single, data))
    runs.ranks(1, *runs.train(mpi, data))
    checks.that(trained(single) == trained(mpi), "one rank equals a start without mpirun")


SQUAD = {"data": [{"title": "t", "paragraphs": [{"context": f"ann lives in {place} .", "qas": [
    {"id": f"{place}-{i}", "question": question, "answers": [{"text": answer, "answer_start": f"ann lives in {place} .".index(answer)}]}
    for i, (question, answer) in enumerate([(f"who lives in {place} ?", "ann"), ("who is ann ?", place)])]} for place in ("rome", "cat", "mat")]}]}


def all_tasks(checks, runs, top):
    """Every kind of task on its model: trained on 2 ranks, evaluated and predicted on 3."""
    folder = folder_in(top, "tasks")
    models = {"bert": nano_models.bert(os.path.join(folder, "bert")), "gpt2": nano_models.gpt2(os.path.join(folder, "gpt2")),
              "glm": nano_models.glm(os.path.join(folder, "glm")), "t5": runs.model}
    files = {"classes.tsv": "text\tlabel\n" + "".join(f"{'cat mat ann rome'.split()[i % 4]} is {'good' if i % 3 else 'bad'} .\t{'yes' if i % 3 else 'no'}\n"
                                                        for i in range(9)),
             "texts.tsv": "text\ttarget\n" + "".join(f"cat {'sat on ' * (i % 4)}mat\tann lives\n" for i in range(7)),
             "tags.conll": "ann B-P\nlives O\nin O\nrome B-L\n\ncat O\nsat O\n\nann B-P\nsat O\n\n" * 3,
             "choices.jsonl": "".join(json.dumps({"p": f"who {what} ?", "a": "ann", "b": "cat sat", "label": i % 2}) + "\n"
                                      for i, what in enumerate("sat lives is in on".split())),
             "squad.json": json.dumps(SQUAD)}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    classes = ["--input", "{text}", "--labels", "no,yes"]
    cases = {
        "bert SEQ_CLS": ("bert", "classes.tsv", ["--task", "SEQ_CLS", *classes]),
        "bert MASKED_LM": ("bert", "classes.tsv", ["--task", "MASKED_LM", "--input", "{text} it was [MASK] .", "--labels", "no,yes"]),
        "bert TOKEN_CLS": ("bert", "tags.conll", ["--task", "TOKEN_CLS"]),
        "bert QUESTION_ANS": ("bert", "squad.json", ["--task", "QUESTION_ANS"]),
        "bert MULTIPLE_CHOICE": ("bert", "choices.jsonl", ["--task", "MULTIPLE_CHOICE", "--input", "{p}", "--choice", "{a}", "--choice", "{b}"]),
        "gpt2 classes": ("gpt2", "classes.tsv", classes),
        "gpt2 texts": ("gpt2", "texts.tsv", ["--input", "{text}", "--target", "{target}", "--max-target-length", "6"]),
        "glm classes": ("glm", "classes.tsv", ["--input", "{text} it was [MASK] .", "--labels", "no,yes"]),
        "glm texts": ("glm", "texts.tsv", ["--input", "{text} [MASK]", "--target", "{target}", "--max-target-length", "6"]),
        "glm MULTIPLE_CHOICE": ("glm", "choices.jsonl", ["--task", "MULTIPLE_CHOICE", "--input", "{p} [MASK]", "--choice", "{a}", "--choice", "{b}"]),
        "t5 classes": ("t5", "classes.tsv", classes),
        "t5 texts": ("t5", "texts.tsv", ["--input", "{text}", "--target", "{target}", "--max-target-length", "6"]),
    }
    for name, (model, file, options) in cases.items():
        path = os.path.join(folder, file)
        more = ["--dropout", "0.1"] if model == "bert" else []

        def make(out):
            return ["train", "--model", models[model], "--train-file", path, "--validation-file", path, *options, "--method", "prefix", "--num-virtual-tokens", "2",
                    "--max-steps", "4", "--batch-size", "5", "--eval-steps", "2", "--threads", "1", "--learning-rate", "0.05", "--output-dir", out, "--json",
                    os.path.join(out, "log.jsonl"), *more]

        adapter = equal_runs(checks, runs, folder, name, 2, make)
        flags = ["--model", models[model], "--adapter", adapter, "--file", path, "--threads", "1"]
        for command in ("eval", "predict"):
            first, second = runs.alone(command, *flags), runs.ranks(3, command, *flags)
            checks.that(first.returncode == 0 and second.returncode == 0 and first.stdout == second.stdout and first.stdout, f"{name}: {command} on 3 ranks",
                        text_of(first) + text_of(second))


def shards(checks, runs, top):
    """Training data in shards, of which each rank reads its own alone."""
    files = [write_data(os.path.join(top, f"part-{i}.tsv"), 5 + i % 2, 10 * i) for i in range(4)]
    pattern = os.path.join(top, "part-*.tsv")
    for count in (2, 4):
        for dropout in ("0", "0.1"):
            equal_runs(checks, runs, top, f"shards, dropout {dropout}, {count} ranks", count, lambda folder: runs.train(folder, files, "--dropout", dropout))
    by_pattern = folder_in(top, "by-pattern")
    # hosts that have nothing but the shards of their ranks
    hosts = folder_in(top, "hosts")
    for rank in range(2):
        host = folder_in(hosts, str(rank))
        for shard in files[2 * rank:2 * rank + 2]:
            os.link(shard, os.path.join(host, os.path.basename(shard)))
    there = script(top, "on-host.sh", f'cd {hosts}/"$OMPI_COMM_WORLD_RANK" && exec "$@"\n')
    apart, together = folder_in(top, "apart"), folder_in(top, "together")
    names = [os.path.basename(file) for file in files]
    options = ["--save-steps", "4", "--resume"]

    def make(folder, shards_given, steps=12):
        arguments = runs.train(folder, shards_given, *options, steps=steps)
        arguments[arguments.index("--validation-file") + 1] = files[0]
        return arguments

    runs.ranks(2, *make(together, files))
    result = runs.ranks(2, *make(apart, names), before=[there])
    checks.that(result.returncode == 0, "ranks that have their own shards alone", text_of(result))
    if result.returncode == 0:
        checks.that(trained(apart) == trained(together), "ranks that have their own shards alone train the same")
    runs.alone(*make(by_pattern, [pattern]))
    one = folder_in(top, "one-process")
    runs.alone(*make(one, files))
    checks.that(trained(by_pattern) == trained(one), "a pattern stands for its files in order")
    # another number of ranks goes on, other data do not
    folder = folder_in(top, "goes-on")
    total = 600
    process = subprocess.Popen(runs.command(4, *make(folder, files, total)), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(os.path.join(folder, "trainer_state.safetensors")) and process.poll() is None:
        time.sleep(0.01)
    # a rank dies at once; a signal to the launcher may take longer than all steps
    for pid in pids_of(folder).values():
        os.kill(pid, signal.SIGKILL)
    process.wait(timeout=60)
    write_data(files[2], 7, 20)
    changed = runs.ranks(2, *make(folder, files, total))
    checks.that(changed.returncode != 0 and "it belongs to another run" in changed.stderr and "shard 2: '5 examples" in changed.stderr
                and "shard 1" not in changed.stderr, "a shard that has changed", text_of(changed))
    write_data(files[2], 5, 20)
    steps = max(losses(folder))
    result = runs.ranks(2, *make(folder, files, total))
    checks.that(result.returncode == 0 and "4 processes wrote it, 2 go on" in result.stderr and steps < total, "shards go on on other ranks", text_of(result))
    refused = {"4 shards on 3 ranks": (3, files, [], "shards: 4 were given for 3 processes"),
               "a batch that 4 shards cannot share": (2, files, ["--batch-size", "6"], "batches of 6 sequences were given for 4 shards"),
               "a pattern of nothing": (2, [os.path.join(top, "nothing-*")], [], "no file has a name of this pattern"),
               "parts across shards": (2, files, ["--gradient-accumulation-steps", "3"], "shards: 4 were given for batches of 6 parts")}
    for name, (count, given, extra, error) in refused.items():
        arguments = [word for word in make(folder_in(top, name.replace(" ", "-")), given)]
        for option in extra[::2]:
            if option in arguments:
                at = arguments.index(option)
                del arguments[at:at + 2]
        result = runs.ranks(count, *arguments, *extra)
        checks.that(result.returncode != 0 and error in result.stderr and result.stderr.count("preamble: ") == 1, name, text_of(result))


PLAN = """
[train]
model = "{model}"
train-file = "{data}"
validation-file = "{data}"
input = "{{text}}"
labels = ["yes", "no"]
label-column = "label"
max-steps = 6
batch-size = 6
threads = 1
save-steps = 1
[sweep]
num-virtual-tokens = [1, 3]
learning-rate = [0.05, 0.1]
seed = [1, 2]
[evaluate]
file = "{data}"
threads = 1
[[plot]]
x = "num-virtual-tokens"
"""
COSTS = ("step_ms", "seconds", "peak_resident_bytes")


def table(folder):
    with open(os.path.join(folder, "grid.csv")) as f:
        return [{name: value for name, value in row.items() if name not in COSTS} for row in csv.DictReader(f)]


def sweeps(checks, runs, top, data):
    plan = os.path.join(top, "grid.toml")
    with open(plan, "w") as f:
        f.write(PLAN.format(model=runs.model, data=data))
    one, many, killed = (folder_in(top, name) for name in ("sweep-one", "sweep-many", "sweep-killed"))
    first = runs.alone("sweep", plan, "--output-dir", one)
    second = runs.ranks(3, "sweep", plan, "--output-dir", many)
    checks.that(first.returncode == 0 and second.returncode == 0, "a sweep on 3 ranks", text_of(first) + text_of(second))
    if first.returncode == 0 and second.returncode == 0:
        checks.that(len(table(one)) == 8 and table(one) == table(many), "a sweep on 3 ranks: the table is that of one process", str(table(many)))
        checks.that(os.path.exists(os.path.join(many, "grid.svg")) and second.stdout.count("8/8") == 1, "a sweep on 3 ranks: plot, one voice", second.stdout)
    for stop in (signal.SIGKILL, signal.SIGSTOP):
        process = subprocess.Popen(runs.command(3, "sweep", plan, "--output-dir", killed, "--collective-timeout", "2"), env=ENVIRONMENT,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        rows = 1 if stop == signal.SIGKILL else 4
        while process.poll() is None:
            if os.path.exists(os.path.join(killed, "grid.csv")) and len(table(killed)) >= rows:
                os.kill(pids_of(killed)[1], stop)
                break
            time.sleep(0.01)
        name = f"a sweep whose rank 1 {'is killed' if stop == signal.SIGKILL else 'hangs'}"
        try:
            _, text = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            text = "no end within 30 s"
        checks.that(process.returncode not in (0, None), name, text)
        checks.that(not left_after(killed, 20), f"{name}: all processes end", text)
    result = runs.ranks(2, "sweep", plan, "--output-dir", killed)
    done = re.search(r"8 runs, (\d+) of them done", result.stdout)
    checks.that(result.returncode == 0 and done and 4 <= int(done[1]) < 8, "a sweep goes on on another number of ranks", text_of(result))
    checks.that(table(killed) == table(one), "a sweep that went on twice: the table is that of one process")
    endless_sweep(checks, runs, top, data)
    with open(plan, "a") as f:
        f.write('[[variant]]\nname = "good"\n[[variant]]\nname = "bad"\ntrain-samples = 1000\n')
    bad = runs.ranks(2, "sweep", plan, "--output-dir", folder_in(top, "sweep-bad"))
    checks.that(bad.returncode != 0 and bad.stderr.count("of 2: preamble: ") == 1 and "a subset of 1000 rows; wanted 1 to 24" in bad.stderr,
                "a run of a sweep that fails", text_of(bad))


def endless_sweep(checks, runs, top, data):
    """Runs that would take hours: none of them goes on without its ranks."""
    plan = os.path.join(top, "endless.toml")
    with open(plan, "w") as f:
        f.write(PLAN.format(model=runs.model, data=data).replace("max-steps = 6", "max-steps = 10000000"))
    for stop in (signal.SIGKILL, signal.SIGSTOP):
        name = f"an endless sweep whose rank 1 {'is killed' if stop == signal.SIGKILL else 'hangs'}"
        folder = folder_in(top, name.replace(" ", "-"))
        process = subprocess.Popen(runs.command(3, "sweep", plan, "--output-dir", folder, "--collective-timeout", "2"), env=ENVIRONMENT,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # the launcher, the ranks, and a run of each
        end = time.monotonic() + 30
        while len(processes_naming(folder)) < 7 and time.monotonic() < end:
            time.sleep(0.01)
        checks.that(len(processes_naming(folder)) == 7, f"{name}: three runs at a time", str(processes_naming(folder)))
        os.kill(pids_of(folder)[1], stop)
        left = left_after(folder, 30)
        checks.that(not left, f"{name}: no run goes on", str(left))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        checks.that(process.wait() != 0, f"{name}: status")


def processes_naming(folder):
    return [int(entry.name) for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit() and folder.encode() in read(entry / "cmdline")]


def left_after(folder, seconds):
    """Processes with the folder in their command, once `seconds` have passed; sooner if there are none."""
    end = time.monotonic() + seconds
    while (left := processes_naming(folder)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def errors(checks, runs, top, data):
    folder = folder_in(top, "errors")
    missing = runs.ranks(3, *runs.train(folder, data), "--dump-initial", os.path.join(folder, "no", "such", "folder", "file"))
    checks.that(missing.returncode != 0 and "rank 0 of 3: preamble: " in missing.stderr, "an error of the root ends all", missing.stderr)
    checks.that(missing.stderr.count("preamble: ") == 1, "an error is told once", missing.stderr)
    one = runs.ranks(3, "eval", "--model", runs.model, "--adapter", folder, "--file", data, "--input", "{text}", "--labels", "yes,no")
    checks.that(one.returncode != 0 and one.stderr.count("preamble: ") == 1, "an error of all ranks is told once", one.stderr)
    bad = runs.ranks(2, "inspect", "--adapter", folder)
    checks.that(bad.returncode != 0 and "2 processes were started for 'inspect'; wanted one" in bad.stderr, "a command for one process", bad.stderr)
    many = runs.ranks(2, *runs.train(folder, data), "--slots", "2")
    checks.that(many.returncode != 0 and "--slots: 2 processes; wanted one" in many.stderr, "slots are for one process", text_of(many))


def differences(checks, runs, top, data):
    """Each rank is given something of its own: the last two arguments but the program's."""
    other_data = write_data(os.path.join(top, "other.tsv"), 25)
    other_model = os.path.join(top, "other-model")
    os.makedirs(other_model)
    for file in pathlib.Path(runs.model).iterdir():
        (pathlib.Path(other_model) / file.name).write_bytes(file.read_bytes())
    weights = pathlib.Path(other_model) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    differ = script(top, "differ.sh", 'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then value="$3"; else value="$2"; fi\noption="$1"\nshift 3\nexec "$@" "$option" "$value"\n')

    def given(option, first, second, arguments):
        arguments = list(arguments)
        if option in arguments:
            at = arguments.index(option)
            del arguments[at:at + 2]
        return runs.ranks(2, *arguments, before=[differ, option, first, second])

    folder = folder_in(top, "differ")
    train = runs.train(folder, data)
    adapter = folder_in(top, "differ-adapter")
    runs.alone(*runs.train(adapter, data))
    other_adapter = folder_in(top, "differ-other-adapter")
    runs.alone(*runs.train(other_adapter, data, "--learning-rate", "0.01"))
    evaluate = ["--model", runs.model, "--adapter", adapter, "--file", data]
    for name, arguments, option, first, second, what in [
            ("training data", train, "--train-file", data, other_data, "training data: '25 examples"),
            ("validation data", train, "--validation-file", data, other_data, "validation data: '25 examples"),
            ("models", train, "--model", runs.model, other_model, "model: '"),
            ("learning rates", train, "--learning-rate", "0.1", "0.2", "learning rate: "),
            ("seeds", train, "--seed", "1", "2", "seed: "),
            ("batch sizes", train, "--batch-size", "4", "6", "batches: "),
            ("numbers of evaluations", train, "--eval-steps", "3", "4", "evaluation: "),
            ("data to evaluate", ["eval", *evaluate], "--file", data, other_data, "data: '25 examples"),
            ("data to predict", ["predict", *evaluate], "--file", data, other_data, "data: '25 examples"),
            ("models to evaluate", ["eval", *evaluate], "--model", runs.model, other_model, "model: '"),
            ("adapters to evaluate", ["eval", *evaluate], "--adapter", adapter, other_adapter, "adapter: '"),
            ("labels to predict", ["predict", *evaluate], "--labels", "yes,no", "no,yes", "options: ")]:
        result = given(option, first, second, arguments)
        checks.that(result.returncode != 0 and "rank 1 was given another run than rank 0" in result.stderr and what in result.stderr
                    and result.stderr.count("preamble: ") == 1, f"{name} that differ between ranks", text_of(result))


def full_disk(checks, runs, top, data):
    """Writing fails on the root alone, as on a full disk, while training runs: what was saved stays whole."""
    folder = folder_in(top, "full-disk")
    extra = ["--save-steps", "1", "--resume", "--dropout", "0.1"]
    calm = script(top, "calm.sh", 'trap "" XFSZ\nexec "$@"\n')
    errors_path = os.path.join(top, "full-disk-errors")
    with open(errors_path, "w") as errors_file:
        process = subprocess.Popen(runs.command(2, *runs.train(folder, data, *extra, steps=150), before=[calm]), env=ENVIRONMENT,
                                   stdout=subprocess.DEVNULL, stderr=errors_file, stdin=subprocess.DEVNULL)
        state = os.path.join(folder, "trainer_state.safetensors")
        while process.poll() is None and not os.path.exists(state):
            time.sleep(0.005)
        # no file may grow beyond a kilobyte, which the state does at once
        resource.prlimit(pids_of(folder)[0], resource.RLIMIT_FSIZE, (1024, 1024))
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
    with open(errors_path) as f:
        text = f.read()
    checks.that(process.returncode not in (0, None) and "rank 0 of 2: preamble: " in text and text.count("preamble: ") == 1 and ("cannot write" in text or "File too large" in text),
                "a root that cannot write", text)
    leftovers = [name for name in os.listdir(folder) if name.startswith(".")]
    checks.that(not leftovers, "a root that cannot write leaves no piece of a file", str(leftovers))
    again = runs.ranks(2, *runs.train(folder, data, *extra, steps=150))
    straight = folder_in(top, "full-disk-straight")
    runs.ranks(2, *runs.train(straight, data, *extra, steps=150))
    checks.that(again.returncode == 0, "a root that could not write: resumed", text_of(again))
    if again.returncode == 0:
        checks.that(trained(folder) == trained(straight), "a root that could not write: the resumed run equals a straight one")
    log = runs.ranks(2, *runs.train(folder_in(top, "full-log"), data)[:-1], "/dev/full")
    checks.that(log.returncode != 0 and "rank 0 of 2: preamble: /dev/full: cannot write" in log.stderr, "a log on a full disk", text_of(log))


def patience(checks, runs, top):
    """Ranks wait for one that is at work, however long; the launcher's library may be missing."""
    data = os.path.join(top, "uneven.tsv")
    options = ["--model", runs.model, "--file", data, "--input", "{text}", "--target", "{label}", "--threads", "1", "--max-new-tokens", "2"]
    # on fast machines the work must be more
    for length, rows in ((4, 320), (20, 320), (100, 320), (100, 1280), (100, 5120)):
        with open(data, "w") as f:
            f.write("text\tlabel\n")
            for i in range(rows):
                # the second rank has the long inputs
                f.write(f"{'a long text ' * (1 if i < rows // 2 else length)}{i}\tyes\n")
        start = time.monotonic()
        calm = runs.ranks(2, "predict", *options)
        took = time.monotonic() - start
        if took > 5:
            break
    # longer than a batch of the second rank, of which there are ten or more, and shorter than all of them; long enough to start in
    limit = max(1.5, took / 4)
    hasty = runs.ranks(2, "predict", *options, "--collective-timeout", limit)
    checks.that(calm.returncode == 0 and hasty.returncode == 0 and calm.stdout == hasty.stdout and calm.stdout, f"long work of one rank is no hang ({took:.1f} s)",
                text_of(calm) + text_of(hasty))
    checks.that(took > 1.6 * limit, "the work of one rank is longer than the others would wait", f"{took:.1f} s")
    environment = {**ENVIRONMENT, "PREAMBLE_MPI": os.path.join(top, "libmpi.so")}
    absent = subprocess.run(runs.command(2, "eval", *options), env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    checks.that(absent.returncode != 0 and absent.stderr.count("preamble: ") == 1 and "this machine's MPI cannot be opened" in absent.stderr
                and "wanted Open MPI" in absent.stderr, "a machine without MPI's library", text_of(absent))
    alone = subprocess.run([runs.preamble, "--help"], env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    linked = subprocess.run(["ldd", runs.preamble], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    checks.that(alone.returncode == 0 and "libmpi" not in linked.stdout, "a start without mpirun needs no MPI", linked.stdout)


def shared_pages(checks, runs, top, data):
    """Ranks of a machine map the checkpoint: the same pages, which are in memory once."""
    folder = folder_in(top, "pages")
    process = subprocess.Popen(runs.command(2, *runs.train(folder, data, steps=2000)), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pids = {}
    while process.poll() is None and (len(pids) < 2 or not os.path.exists(os.path.join(folder, "log.jsonl"))
                                      or not os.path.getsize(os.path.join(folder, "log.jsonl"))):
        pids = pids_of(folder)
        time.sleep(0.01)
    found = {}
    for rank, pid in pids.items():
        text = read(pathlib.Path(f"/proc/{pid}/smaps")).decode()
        for mapping in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text):
            if "model.safetensors" in mapping.split("\n")[0]:
                for line in mapping.split("\n")[1:]:
                    name, _, value = line.partition(":")
                    if value.strip().endswith("kB"):
                        found.setdefault(rank, {}).setdefault(name, 0)
                        found[rank][name] += int(value.split()[0])
    process.terminate()
    process.wait(timeout=60)
    size = os.path.getsize(os.path.join(runs.model, "model.safetensors")) // 1024
    whole = [numbers for numbers in found.values() if numbers.get("Rss", 0) > 0.5 * size]
    # the page cache may be mapped elsewhere too: a rank's proportional share is half of what it sees, or less
    checks.that(len(whole) == 2 and all(numbers["Pss"] <= 0.6 * numbers["Rss"] and numbers["Private_Dirty"] == 0 for numbers in whole),
                "ranks share the pages of the checkpoint", str(found))


def main():
    checks, runs = Checks(), Runs(*sys.argv[1:])
    with tempfile.TemporaryDirectory() as top:
        data = write_data(os.path.join(top, "data.tsv"))
        parts = {"bits": lambda: equal_bits(checks, runs, top, data), "tasks": lambda: all_tasks(checks, runs, top), "shards": lambda: shards(checks, runs, top),
                 "sweeps": lambda: sweeps(checks, runs, top, data), "errors": lambda: errors(checks, runs, top, data),
                 "differences": lambda: differences(checks, runs, top, data), "disk": lambda: full_disk(checks, runs, top, data),
                 "patience": lambda: patience(checks, runs, top), "pages": lambda: shared_pages(checks, runs, top, data),
                 "kills": lambda: kill(runs, checks, 2, True, 1, 11)}
        only = os.environ.get("PROCESSES_TEST_ONLY", "").split(",")
        for name, part in parts.items():
            if only == [""] or name in only:
                start = time.monotonic()
                part()
                print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    return checks.report()


if __name__ == "__main__":
    sys.exit(main())
