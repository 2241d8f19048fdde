#!/usr/bin/env python3
"""Gives `preamble` damaged files and senseless options: each must end in one clear error and leave nothing behind.

    hostile_test.py PREAMBLE MODEL

The last line reads `N passed, N failed`.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

ROWS = "text\tlabel\n" + "".join(f"this is line {i}\t{'yes' if i % 3 else 'no'}\n" for i in range(12))


class Place:
    """A folder with a copy of the model, a data file and an output folder that each case may spoil."""

    def __init__(self, top, model):
        self.top = top
        self.model = os.path.join(top, "model")
        shutil.copytree(model, self.model)
        for name in os.listdir(self.model):
            os.chmod(os.path.join(self.model, name), 0o644)
        self.data = os.path.join(top, "data.tsv")
        self.write("data.tsv", ROWS)
        self.out = os.path.join(top, "out")

    def write(self, name, content):
        with open(os.path.join(self.top, name), "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)

    def read(self, name):
        with open(os.path.join(self.top, name), "rb") as f:
            return f.read()

    def remove(self, name):
        os.remove(os.path.join(self.top, name))

    def config(self, **changes):
        config = json.loads(self.read("model/config.json"))
        config.update(changes)
        self.write("model/config.json", json.dumps({k: v for k, v in config.items() if v is not None}))

    def header(self, change):
        """Rewrites the header of model.safetensors."""
        raw = self.read("model/model.safetensors")
        size = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8:8 + size])
        change(header)
        text = json.dumps(header).encode()
        self.write("model/model.safetensors", struct.pack("<Q", len(text)) + text + raw[8 + size:])

    def train(self, *extra):
        """A small training run; options in `extra` replace those of the same name."""
        options = {"--model": self.model, "--train-file": self.data, "--input": "{text}", "--labels": "yes,no", "--label-column": "label",
                   "--num-virtual-tokens": "3", "--max-steps": "2", "--batch-size": "4", "--output-dir": self.out, "--threads": "1"}
        flags = []
        extra = list(extra)
        while extra:
            name = extra.pop(0)
            if extra and not extra[0].startswith("--"):
                options[name] = extra.pop(0)
            else:
                flags.append(name)
        return ["train", *[word for pair in options.items() for word in pair], *flags]


def truncate_weights(p):
    raw = p.read("model/model.safetensors")
    p.write("model/model.safetensors", raw[:len(raw) // 2])


def overlap(header):
    names = sorted(n for n in header if n != "__metadata__")
    header[names[0]]["data_offsets"] = header[names[1]]["data_offsets"]


def drop_tensor(header):
    header["renamed"] = header.pop("encoder.final_layer_norm.weight")


def reshape(header):
    header["encoder.final_layer_norm.weight"]["shape"] = [2, header["encoder.final_layer_norm.weight"]["shape"][0] // 2]


def lie(header):
    header["shared.weight"]["dtype"] = "F64"


def other_run(p):
    os.makedirs(p.out)
    subprocess.run([sys.argv[1], *p.train()], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def other_weights(p):
    """Changes one number of the weights."""
    raw = bytearray(p.read("model/model.safetensors"))
    raw[-2] ^= 1
    p.write("model/model.safetensors", bytes(raw))


# name, what is spoiled, extra arguments (or all of them, as a function), what the error must say
CASES = [
    ("no config", lambda p: p.remove("model/config.json"), [], "config.json"),
    ("config is no JSON", lambda p: p.write("model/config.json", "{\"d_model\": "), [], "config.json"),
    ("a field is text", lambda p: p.config(d_model="abc"), [], "d_model"),
    ("a field is negative", lambda p: p.config(num_layers=-3), [], "num_layers"),
    ("a huge field", lambda p: p.config(d_ff=1 << 40), [], "d_ff"),
    ("another architecture", lambda p: p.config(model_type="mamba"), [], "mamba"),
    ("no model type", lambda p: p.config(model_type=None, architectures=None), [], "model_type"),
    ("an unknown class in place of the model type", lambda p: p.config(model_type=None, architectures=["MambaForCausalLM"]), [], "MambaForCausalLM"),
    ("no weights", lambda p: p.remove("model/model.safetensors"), [], "model.safetensors"),
    ("truncated weights", truncate_weights, [], "model.safetensors"),
    ("empty weights", lambda p: p.write("model/model.safetensors", b""), [], "model.safetensors"),
    ("a header of 2^60 bytes", lambda p: p.write("model/model.safetensors", struct.pack("<Q", 1 << 60) + b"{}"), [], "model.safetensors"),
    ("overlapping tensors", lambda p: p.header(overlap), [], "model.safetensors"),
    ("a missing tensor", lambda p: p.header(drop_tensor), [], "encoder.final_layer_norm.weight"),
    ("a misshaped tensor", lambda p: p.header(reshape), [], "encoder.final_layer_norm.weight"),
    ("a lying type", lambda p: p.header(lie), [], "shared.weight"),
    ("no tokenizer", lambda p: (p.remove("model/tokenizer.json"), p.remove("model/spiece.model"), p.remove("model/tokenizer_config.json"),
                                p.remove("model/special_tokens_map.json")), [], "tokenizer"),
    ("a damaged tokenizer", lambda p: p.write("model/tokenizer.json", p.read("model/tokenizer.json")[:1000]), [], "tokenizer.json"),
    ("empty data", lambda p: p.write("data.tsv", ""), [], "data.tsv"),
    ("a header line alone", lambda p: p.write("data.tsv", "text\tlabel\n"), [], "data.tsv"),
    ("a ragged row", lambda p: p.write("data.tsv", ROWS + "one\ttwo\tthree\n"), [], "data.tsv:14"),
    ("a label outside of the words", lambda p: p.write("data.tsv", ROWS + "text\tmaybe\n"), [], "maybe"),
    ("bytes that are no UTF-8", lambda p: p.write("data.tsv", ROWS.encode() + b"\xff\xfe\tyes\n"), [], "data.tsv:14"),
    ("a template with an unknown column", None, ["--input", "{sentence}"], "sentence"),
    ("labels and a target", None, ["--target", "{text}", "--labels", ""], "label"),
    ("a broken template", None, ["--input", "{text"], "{text"),
    ("an unknown option", None, ["--lerning-rate", "1"], "--lerning-rate"),
    ("an option of encoders", None, ["--doc-stride", "64"], "--doc-stride"),
    ("dropout of a prefix that is not there", None, ["--prefix-dropout", "0.1"], "--prefix-dropout"),
    ("a senseless number", None, ["--learning-rate", "fast"], "fast"),
    ("an impossible budget", None, ["--memory-budget", "1K"], "budget"),
    ("a senseless budget", None, ["--memory-budget", "lots"], "lots"),
    ("a length below the template", None, ["--input", "word " * 30 + "{text}", "--max-source-length", "5"], "data.tsv"),
    ("an unknown initialiser", None, ["--prompt-tuning-init", "magic"], "magic"),
    ("a loss that explodes", None, ["--learning-rate", "1e38", "--max-steps", "50"], "the gradient of 'prompt_embeddings' is not finite; first: "),
    ("an output folder that is a file", lambda p: p.write("out", "x"), [], "out"),
    ("a state of another run", other_run, ["--resume", "--learning-rate", "0.7"], "another run"),
    ("a state of another model of this width", lambda p: (other_run(p), other_weights(p)), ["--resume"], "another run: model: '"),
    ("a state of other data of this name", lambda p: (other_run(p), p.write("data.tsv", ROWS.replace("line 3", "line 4"))), ["--resume"],
     "another run: training data: '"),
    ("a state of another template", other_run, ["--resume", "--input", "text: {text}"], "task: 'input '{text}' target '' labels 'yes,no'' there"),
    ("a state of another optimizer", other_run, ["--resume", "--adam-beta2", "0.99"], "another run: optimizer: '"),
    ("a damaged state", lambda p: (other_run(p), p.write("out/trainer_state.safetensors", b"x" * 100)), ["--resume"], "trainer_state.safetensors"),
    ("an adapter without config", lambda p: os.makedirs(p.out), lambda p: ["eval", "--model", p.model, "--adapter", p.out, "--file", p.data, "--input", "{text}",
                                                                         "--labels", "yes,no"], "adapter_config.json"),
    ("an adapter with too few rows", lambda p: (other_run(p), p.write("out/adapter_config.json", p.read("out/adapter_config.json").replace(
        b'"num_virtual_tokens": 3', b'"num_virtual_tokens": 4'))), lambda p: ["eval", "--model", p.model, "--adapter", p.out, "--file", p.data],
     "4 virtual tokens"),
    ("a pickle as weights", lambda p: (p.remove("model/model.safetensors"), p.write("model/pytorch_model.bin", b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.")), [],
     "pytorch_model.bin"),
]


def full_disk(preamble, place):
    """The disk is full while the state is saved: the old state stays whole."""
    subprocess.run([preamble, *place.train()], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = place.read("out/adapter_model.safetensors")
    command = f"trap '' XFSZ; ulimit -f 1; exec {preamble} " + " ".join(f"'{a}'" for a in place.train("--num-virtual-tokens", "40"))
    process = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    leftovers = [n for n in os.listdir(place.out) if n.startswith(".")]
    if process.returncode != 1:
        return f"exit status {process.returncode}"
    if leftovers:
        return f"left {leftovers}"
    if place.read("out/adapter_model.safetensors") != before:
        return "the old adapter is gone"
    return None


def one_core(preamble, place):
    """A process that may use one core of the machine asks for one thread: oneTBB does not complain."""
    core = min(os.sched_getaffinity(0))
    subprocess.run([preamble, *place.train()], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = subprocess.run([preamble, "eval", "--model", place.model, "--adapter", place.out, "--file", place.data], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, timeout=120, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    error = process.stderr.decode("utf-8", "replace")
    return None if process.returncode == 0 and "TBB Warning" not in error else f"exit status {process.returncode}: {error[-300:]}"


def check(preamble, place, arguments, says):
    process = subprocess.run([preamble, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    error = process.stderr.decode("utf-8", "replace")
    lines = [line for line in error.strip().splitlines() if line]
    if process.returncode <= 0 or process.returncode > 127:
        return f"exit status {process.returncode}: {error[-300:]}"
    if says not in error:
        return f"the error does not name '{says}': {error[-300:]}"
    if len(lines) > 3:
        return f"more than one error: {error[-600:]}"
    if os.path.isdir(place.out) and any(name.startswith(".") for name in os.listdir(place.out)):
        return "a temporary file was left"
    return None


def main():
    preamble, model = os.path.abspath(sys.argv[1]), sys.argv[2]
    passed = failed = 0
    cases = [(name, lambda place, spoil=spoil, arguments=arguments, says=says: (
        spoil(place) if spoil else None, check(preamble, place, arguments(place) if callable(arguments) else place.train(*arguments), says))[1])
             for name, spoil, arguments, says in CASES]
    cases.append(("a full disk", lambda place: full_disk(preamble, place)))
    cases.append(("one core", lambda place: one_core(preamble, place)))
    for name, run in cases:
        with tempfile.TemporaryDirectory() as top:
            try:
                problem = run(Place(top, model))
            except (subprocess.SubprocessError, OSError) as error:
                problem = str(error)
        passed, failed = passed + (problem is None), failed + (problem is not None)
        print(f"{'ok  ' if problem is None else 'FAIL'} {name}{': ' + problem if problem else ''}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
