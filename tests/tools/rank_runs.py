"""What the scripts have in common that start `preamble` with mpirun."""
import json
import os
import pathlib
import subprocess

# tests run as root in containers, on machines with fewer cores than ranks
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
               "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
               # collecting its own messages, Open MPI now and then loses the abort of the rank that has told of an error
               "OMPI_MCA_orte_base_help_aggregate": "0",
               # Open MPI leaves memory of its own behind, partly in modules that it has unloaded, so that no suppression can name them; processes
               # without mpirun still look for leaks
               "ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "detect_leaks=0"]))}
TIMEOUT = 240


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def that(self, good, what, detail=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED:", what, detail, flush=True)

    def report(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0


class Runs:
    """Runs of one program on one model."""

    def __init__(self, mpirun, preamble, model):
        self.mpirun = mpirun
        # some runs are started in folders of their own
        self.preamble, self.model = os.path.abspath(preamble), os.path.abspath(model)

    def command(self, count, *arguments, before=()):
        """`before`: a program that gets the call as its arguments."""
        return [self.mpirun, "-n", str(count), "--bind-to", "none", *map(str, before), self.preamble, *map(str, arguments)]

    def ranks(self, count, *arguments, before=()):
        return subprocess.run(self.command(count, *arguments, before=before), env=ENVIRONMENT, capture_output=True, text=True, timeout=TIMEOUT, check=False,
                              stdin=subprocess.DEVNULL)

    def alone(self, *arguments):
        return subprocess.run([self.preamble, *map(str, arguments)], capture_output=True, text=True, timeout=TIMEOUT, check=False,
                              stdin=subprocess.DEVNULL)

    def train(self, folder, data, *extra, steps=12):
        """Arguments of a small training; `data`: a file, or a list of shards."""
        given = ["--train-file", data] if isinstance(data, str) else ["--train-shards", *data]
        validation = data if isinstance(data, str) else data[0]
        return ["train", "--model", self.model, *given, "--validation-file", validation, "--input", "{text}", "--labels", "yes,no", "--label-column", "label",
                "--num-virtual-tokens", "4", "--max-steps", str(steps), "--batch-size", "8", "--max-grad-norm", "1", "--eval-steps", "6", "--seed", "3",
                "--threads", "1", "--output-dir", folder, "--json", os.path.join(folder, "log.jsonl"), *extra]


def folder_in(top, name):
    folder = os.path.join(top, name)
    os.makedirs(folder)
    return folder


def write_data(path, rows=24, first=0):
    with open(path, "w") as f:
        f.write("text\tlabel\n")
        for i in range(first, first + rows):
            f.write(f"this is line {i} of some text{' and more' * (i % 3)}\t{'yes' if i % 3 else 'no'}\n")
    return path


def trained(folder):
    """The bytes of what was trained."""
    folder = pathlib.Path(folder)
    name = "adapter_model.safetensors" if (folder / "adapter_model.safetensors").exists() else "model.safetensors"
    return (folder / name).read_bytes()


def pids_of(folder):
    """Ranks of the run that writes to the folder: {rank: pid}."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if folder.encode() not in words or b"mpirun" in words[0]:
                continue
            environment = dict(pair.split(b"=", 1) for pair in (entry / "environ").read_bytes().split(b"\0") if b"=" in pair)
        except OSError:
            continue
        if b"OMPI_COMM_WORLD_RANK" in environment:
            found[int(environment[b"OMPI_COMM_WORLD_RANK"])] = int(entry.name)
    return found
