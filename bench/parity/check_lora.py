#!/usr/bin/env python3
"""Trains the same LoRA with transformers + PEFT and with `preamble`, and loads adapters both ways.

For a folder of a decoder-only model, an encoder-decoder or a BERT (with a new head of two classes):
  - the losses of --steps updates on one ragged batch, from the same A and B (random, not zero), must agree within --tolerance; a causal model
    that has a tokenizer gets sentences, any other one tokens at random
  - the adapter that PEFT's save_pretrained writes gives the same logits in `preamble run`
  - the adapter that `preamble train` writes gives the same logits in PeftModel.from_pretrained (models with a tokenizer that generate)

Needs the packages of requirements.txt. The exit status is 1 where anything differs.

Example:
  bench/parity/check_lora.py --binary build/tools/preamble --model DIR --steps 200
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

CLASSES = 2
SEQUENCES = 8
TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
SENTENCES = pathlib.Path(__file__).resolve().parents[2] / "tools" / "demo_data" / "definitions.train.tsv"
KINDS = {
    "SEQ_2_SEQ_LM": (transformers.AutoModelForSeq2SeqLM, {"t5", "mt5", "umt5", "bart"}),
    "SEQ_CLS": (transformers.AutoModelForSequenceClassification, {"bert", "roberta", "distilbert", "electra", "deberta-v2"}),
}


def kind_of(folder):
    model_type = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    for task, (make, types) in KINDS.items():
        if model_type in types:
            return task, make
    return "CAUSAL_LM", transformers.AutoModelForCausalLM


def load(folder, task, make):
    classes = {"num_labels": CLASSES} if task == "SEQ_CLS" else {}
    return make.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **classes)


def sentences(folder, longest):
    """Definitions of the demo, tokenised; None where the folder has no tokenizer."""
    if not any((folder / name).exists() for name in TOKENIZERS):
        return None
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[0] for line in lines[1:]]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    made = tokenizer(texts[:SEQUENCES], padding=True, truncation=True, max_length=longest, return_tensors="pt")
    tokens, mask = made["input_ids"], made["attention_mask"]
    return {"input_ids": tokens, "attention_mask": mask, "labels": tokens.masked_fill(mask == 0, -100)}


def batch_for(folder, task, vocabulary, generator, sequences=SEQUENCES, longest=24):
    # random tokens are learnt by heart, and then any two programs drift apart: PEFT in float32 from PEFT in float64 by 8e-2 in 200 steps
    if task == "CAUSAL_LM" and (batch := sentences(folder, longest)):
        return batch
    lengths = torch.randint(4, longest + 1, (sequences,), generator=generator)
    lengths[0] = longest
    mask = (torch.arange(longest) < lengths.unsqueeze(1)).long()
    tokens = torch.randint(3, vocabulary - 1, (sequences, longest), generator=generator)
    if task == "SEQ_CLS":
        labels = torch.randint(0, CLASSES, (sequences,), generator=generator)
    elif task == "CAUSAL_LM":
        labels = tokens.masked_fill(mask == 0, -100)
    else:
        labels = torch.randint(3, vocabulary - 1, (sequences, 7), generator=generator)
    return {"input_ids": tokens, "attention_mask": mask, "labels": labels}


def randomised(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.02)
    return model.eval()


def peft_losses(model, batch, settings):
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=0.01)
    losses = []
    for _ in range(settings.steps):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def run(binary, scratch, model, batch, *options):
    save_file({name: tensor.contiguous() for name, tensor in batch.items()}, scratch / "in.safetensors")
    command = [binary, "run", "--model", model, *options, "--in", scratch / "in.safetensors", "--out", scratch / "out.safetensors"]
    subprocess.run([str(word) for word in command], check=True)
    return load_file(scratch / "out.safetensors")


def relative(ours, theirs, batch):
    if theirs.dim() == 3:
        labelled = batch["labels"].shape[1] == theirs.shape[1] and batch["labels"].shape != batch["input_ids"].shape
        rows = batch["labels"] != -100 if labelled else batch["attention_mask"] == 1
        ours, theirs = ours[rows], theirs[rows]
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def trained_by_preamble(settings, scratch, task):
    """An adapter of a few updates on made-up texts."""
    data = scratch / "data.tsv"
    data.write_text("a\tb\n" + "\n".join(f"one {i}\ttwo {i}" for i in range(8)) + "\n", encoding="utf-8")
    folder = scratch / "ours"
    command = [settings.binary, "train", "--model", settings.model, "--method", "lora", "--train-file", data, "--input", "{a}", "--target", "{b}",
               "--max-steps", 20, "--learning-rate", 1e-2, "--lora-r", 4, "--lora-alpha", 8, "--output-dir", folder]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest relative difference of a loss")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    task, make = kind_of(settings.model)
    base = load(settings.model, task, make)
    batch = batch_for(settings.model, task, base.config.vocab_size, generator)
    model = randomised(peft.get_peft_model(base, peft.LoraConfig(task_type=task, r=4, lora_alpha=8)), generator)
    differ = []

    def check(what, value, allowed):
        print(f"{what}: {value:.2e} (allowed {allowed:.0e})")
        if not value <= allowed:
            differ.append(what)

    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        model.save_pretrained(scratch / "theirs")
        with torch.no_grad():
            logits = model(**batch).logits
        ours = run(settings.binary, scratch, settings.model, batch, "--adapter", scratch / "theirs")
        check("PEFT's adapter, logits", relative(ours["logits"], logits, batch), 1e-4)
        found = run(settings.binary, scratch, settings.model, batch, "--adapter", scratch / "theirs", "--steps", settings.steps, "--optim", "adamw",
                    "--learning-rate", settings.learning_rate, "--weight-decay", 0.01, "--max-grad-norm", 1.0, "--lr-scheduler-type", "constant")
        theirs = peft_losses(model, batch, settings)
        worst = max(abs(a - b) / abs(b) for a, b in zip(found["losses"].tolist(), theirs, strict=True))
        print(f"losses from {theirs[0]:.6f} to {theirs[-1]:.6f}")
        check(f"{settings.steps} steps, losses", worst, settings.tolerance)
        tokenizer = any((settings.model / name).exists() for name in TOKENIZERS)
        if task != "SEQ_CLS" and tokenizer:
            folder = trained_by_preamble(settings, scratch, task)
            reread = peft.PeftModel.from_pretrained(load(settings.model, task, make), folder).eval()
            plain = load(settings.model, task, make).eval()
            with torch.no_grad():
                logits, without = reread(**batch).logits, plain(**batch).logits
            ours = run(settings.binary, scratch, settings.model, batch, "--adapter", folder)
            check("preamble's adapter, logits", relative(ours["logits"], logits, batch), 1e-4)
            if relative(without, logits, batch) < 1e-3:
                raise SystemExit("the adapter does not change the logits; wanted one that does")
    print("DIFFER: " + ", ".join(differ) if differ else "agree")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
