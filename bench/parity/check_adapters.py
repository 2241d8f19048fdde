#!/usr/bin/env python3
"""Checks that adapters and fine-tuned models go both ways between `preamble` and transformers + PEFT.

For one encoder-decoder folder, on random ragged batches, the logits must agree:
  - a prompt that `preamble train` wrote, loaded by PeftModel.from_pretrained
  - an adapter that PEFT's save_pretrained wrote, read by `preamble run`; also with the smallest config that PEFT accepts,
    in float16 and bfloat16, and as adapter_model.bin
  - a model that `preamble train --method full` wrote, loaded by from_pretrained

A model folder without a tokenizer gets a made-up one of single letters. Needs the packages of requirements.txt.

Example:
  bench/parity/check_adapters.py --binary build/tools/preamble --model DIR
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

TOKENS = 5
PROMPT = "prompt_embeddings"
TENSORS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


class Preamble:
    def __init__(self, binary, scratch):
        self.binary = binary
        self.scratch = scratch

    def __call__(self, *arguments):
        command = [str(self.binary), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")

    def logits(self, model, batch, adapter=None):
        save_file(batch, self.scratch / "in.safetensors")
        out = self.scratch / "out.safetensors"
        self("run", "--model", model, *(["--adapter", adapter] if adapter else []), "--in", self.scratch / "in.safetensors", "--out", out)
        return load_file(out)["logits"]

    def train(self, model, output, *arguments):
        data = self.scratch / "train.jsonl"
        data.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in [("a b c", 0), ("b d e", 1), ("c a", 0), ("e", 1)]))
        task = ["--input", "{text}", "--labels", "0=a,1=b", "--train-file", data, "--batch-size", 4, "--max-steps", 3]
        self("train", "--model", model, "--output-dir", output, *task, *arguments)


def random_batch(vocabulary, generator):
    """Three sequences of different lengths, padded with 0; labels are padded with -100."""

    def ids(lengths, padding):
        rows = torch.full((len(lengths), max(lengths)), padding, dtype=torch.int64)
        for row, length in zip(rows, lengths, strict=True):
            row[:length] = torch.randint(2, vocabulary, (length,), generator=generator)
        return rows

    lengths = [9, 4, 13]
    mask = torch.tensor([[int(column < length) for column in range(max(lengths))] for length in lengths])
    return {"input_ids": ids(lengths, 0), "attention_mask": mask, "labels": ids([5, 7, 2], -100)}


def logits_of(model, batch):
    model.eval()
    with torch.no_grad():
        return model(**batch).logits.float()


def load_model(folder):
    # adapters are trained and compared in float32, whatever the checkpoint is stored in
    return transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)


def difference(ours, theirs, labels):
    """Largest difference on labelled rows, relative to the largest logit."""
    rows = labels != -100
    return ((ours - theirs)[rows].abs().max() / theirs[rows].abs().max()).item()


def with_tokenizer(model, scratch):
    """`model`, or a folder of links to its files with a tokenizer of single letters if it has none."""
    if any((model / name).exists() for name in ("tokenizer.json", "spiece.model", "vocab.json", "vocab.txt")):
        return model
    folder = scratch / "model"
    folder.mkdir()
    for file in model.iterdir():
        os.symlink(file.resolve(), folder / file.name)
    special = ["<pad>", "</s>", "<unk>"]
    vocabulary = [[token, 0.0] for token in special] + [["▁", -2.0]] + [[letter, -3.0] for letter in "abcdefghij"]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    flags = {"special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": token, **flags} for i, token in enumerate(special)],
        "normalizer": None,
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
            ],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
        },
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 2, "vocab": vocabulary, "byte_fallback": False},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    names = {"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "extra_ids": 0}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder


def fresh_adapter(model_folder, target, config):
    """An adapter as PEFT's own training would leave it."""
    model = peft.get_peft_model(load_model(model_folder), config)
    model.eval().save_pretrained(target)


def rewritten(source, target, *, dtype=torch.float32, config=None, pickled=False):
    """A copy of an adapter folder with another element type, config or container."""
    shutil.copytree(source, target)
    tensors = {name: tensor.to(dtype) for name, tensor in load_file(target / TENSORS).items()}
    (target / TENSORS).unlink()
    if pickled:
        torch.save(tensors, target / "adapter_model.bin")
    else:
        save_file(tensors, target / TENSORS, metadata={"format": "pt"})
    if config:
        (target / CONFIG).write_text(json.dumps(config))
    return target


def adapters_of_preamble(preamble, model, scratch):
    for submodules in (1, 2):
        folder = scratch / f"ours-{submodules}"
        preamble.train(model, folder, "--num-virtual-tokens", TOKENS, "--num-transformer-submodules", submodules)
        yield f"preamble train, {submodules} submodule(s)", folder


def adapters_of_peft(model, scratch):
    task = {"task_type": "SEQ_2_SEQ_LM", "num_virtual_tokens": TOKENS}
    for submodules in (1, 2):
        folder = scratch / f"theirs-{submodules}"
        fresh_adapter(model, folder, peft.PromptTuningConfig(**task, num_transformer_submodules=submodules))
        yield f"PEFT prompt tuning, {submodules} submodule(s)", folder
    for kind in ("MLP", "LSTM"):
        folder = scratch / f"theirs-{kind}"
        fresh_adapter(model, folder, peft.PromptEncoderConfig(**task, encoder_reparameterization_type=kind, encoder_hidden_size=16))
        yield f"PEFT p-tuning, {kind}", folder
    source = scratch / "theirs-2"
    yield "PEFT, smallest config", rewritten(source, scratch / "small", config={"peft_type": "PROMPT_TUNING", **task})
    yield "PEFT, float16", rewritten(source, scratch / "f16", dtype=torch.float16)
    yield "PEFT, bfloat16", rewritten(source, scratch / "bf16", dtype=torch.bfloat16)
    yield "PEFT, adapter_model.bin", rewritten(source, scratch / "bin", pickled=True)


def compare_adapters(preamble, model, scratch, batch):
    for adapters in (adapters_of_preamble(preamble, model, scratch), adapters_of_peft(model, scratch)):
        for name, folder in adapters:
            theirs = logits_of(peft.PeftModel.from_pretrained(load_model(model), folder), batch)
            yield name, difference(preamble.logits(model, batch, folder), theirs, batch["labels"])
    # a prompt that changed nothing would pass above
    plain = logits_of(load_model(model), batch)
    if difference(preamble.logits(model, batch, scratch / "theirs-2"), plain, batch["labels"]) < 1e-3:
        raise SystemExit("the adapter does not change the logits; wanted one that does")


def compare_full(preamble, model, scratch, batch):
    folder = scratch / "full"
    preamble.train(model, folder, "--method", "full", "--learning-rate", 1e-2)
    # no dtype given: the saved config must not round the weights
    tuned, info = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, output_loading_info=True)
    odd = {kind: sorted(names) for kind, names in info.items() if names}
    if odd:
        raise SystemExit(f"{folder}: transformers reports {odd}; wanted every weight and no other")
    theirs = logits_of(tuned, batch)
    yield "preamble train --method full", difference(preamble.logits(folder, batch), theirs, batch["labels"])
    if difference(theirs, logits_of(load_model(model), batch), batch["labels"]) < 1e-3:
        raise SystemExit("fine-tuning does not change the logits; wanted a model that differs")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="the program `preamble`")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="Hugging Face folder of an encoder-decoder")
    parser.add_argument("--tolerance", type=float, default=1e-5, help="largest difference, relative to the largest logit (default 1e-5)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        model = with_tokenizer(args.model, scratch)
        preamble = Preamble(args.binary.resolve(), scratch)
        vocabulary = json.loads((model / "config.json").read_text())["vocab_size"]
        batch = random_batch(vocabulary, torch.Generator().manual_seed(args.seed))
        for compare in (compare_adapters, compare_full):
            for name, found in compare(preamble, model, scratch, batch):
                print(f"{name:<42} {found:.2e}{'' if found <= args.tolerance else '  DIFFERS'}", flush=True)
                worst = max(worst, found if found == found else float("inf"))
    agree = worst <= args.tolerance
    print(f"{'agree' if agree else 'DIFFER'}: largest relative difference {worst:.2e}, allowed {args.tolerance:.0e}")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
