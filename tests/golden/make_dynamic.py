#!/usr/bin/env python3
"""Writes llama_dynamic: the model of llama with rotary positions of type dynamic, and what transformers (5.24.0) and PEFT (0.21.2) compute with
it in float64 for sequences on both sides of the pretraining's length. llama.md describes it.

    python3 make_dynamic.py

Each sequence runs alone and with new rotary embeddings: transformers turns a batch by its longest sequence, padding included, and remembers
the longest one that it has seen.
"""

import copy
import json
import pathlib
import shutil

import peft
import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
OUT = HERE / "llama_dynamic"
LENGTHS = [23, 9, 16, 14]
ROWS = 3
LENGTH = 16


def fresh(model):
    """The model as if it had seen no sequence."""
    inner = model.get_base_model() if isinstance(model, peft.PeftModel) else model
    inner.model.rotary_emb = type(inner.model.rotary_emb)(config=inner.config)
    return model


def masked(lengths):
    return torch.tensor([[int(column < length) for column in range(max(lengths))] for length in lengths])


def losses(model, batch, names):
    model.zero_grad()
    labels, longest = batch["labels"], max(LENGTHS)
    count = int((labels[:, 1:] != -100).sum())
    total, logits = 0, []
    for i, length in enumerate(LENGTHS):
        ids = batch["input_ids"][i : i + 1, :length]
        result = fresh(model)(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        total = total + torch.nn.functional.cross_entropy(result[0, :-1], labels[i, 1:length], ignore_index=-100, reduction="sum")
        logits.append(torch.nn.functional.pad(result[0], (0, 0, 0, longest - length)))
    loss = total / count
    loss.backward()
    return {"loss": loss, "logits": torch.stack(logits), **{f"grad.{name}": p.grad for name, p in names(model)}}


def difference(a, b):
    norm = b.double().norm()
    error = (a.double() - b.double()).norm()
    return float(error / norm if norm >= 1e-6 else error)


def write(name, args, inputs, exact, single):
    folder = OUT / "cases" / name
    folder.mkdir(parents=True, exist_ok=True)
    expect = {}
    for key, value in exact.items():
        expect[key] = {"tol": 0 if not value.is_floating_point() else float(f"{min(max(10 * difference(single[key], value), 1e-5), 1e-3):.2g}")}
    save_file({n: v.contiguous() for n, v in inputs.items()}, folder / "in.safetensors")
    save_file({n: (v.float() if v.is_floating_point() else v).detach().contiguous() for n, v in exact.items()}, folder / "out.safetensors")
    spec = {"arch": "llama_dynamic", "args": ["--model", "../../model", *args, "--in", "in.safetensors"], "expect": expect, "note": ""}
    (folder / "case.json").write_text(json.dumps(spec, indent=1) + "\n")
    print(name, max(v["tol"] for v in expect.values()))


def load(dtype=torch.float32):
    return transformers.LlamaForCausalLM.from_pretrained(OUT / "model", dtype=dtype, attn_implementation="eager").eval()


def generated(batch, **options):
    """As the other cases have it: the input as it was, new tokens behind it, padded."""
    rows = []
    for i, length in enumerate(LENGTHS):
        ids = batch["input_ids"][i : i + 1, -length:]
        made = [
            load(dtype).generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=14, pad_token_id=0, **options)[0, length:]
            for dtype in (torch.float64, torch.float32)
        ]
        if not torch.equal(*made):
            raise SystemExit("float32 and float64 generate different tokens; wanted another seed")
        rows.append(torch.cat([batch["input_ids"][i], made[0]]))
    longest = max(map(len, rows))
    return torch.stack([torch.nn.functional.pad(row, (0, longest - len(row))) for row in rows])


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "model").mkdir(parents=True)
    config = json.loads((HERE / "llama/model/config.json").read_text())
    config["max_position_embeddings"] = LENGTH
    config["rope_parameters"] = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    (OUT / "model/config.json").write_text(json.dumps(config, indent=2) + "\n")
    shutil.copy(HERE / "llama/model/model.safetensors", OUT / "model")
    generator = torch.Generator().manual_seed(2)
    mask = masked(LENGTHS)
    tokens = torch.randint(3, config["vocab_size"], mask.shape, generator=generator)
    batch = {"input_ids": tokens, "attention_mask": mask, "labels": tokens.masked_fill(mask == 0, -100)}

    full = load()
    every = lambda model: model.named_parameters()
    write("full-grad", ["--method", "full", "--grad"], batch, losses(copy.deepcopy(full).double(), batch, every), losses(full, batch, every))

    base = load()
    tuned = peft.get_peft_model(base, peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=ROWS)).eval()
    with torch.no_grad():
        tuned.prompt_encoder["default"].embedding.weight.normal_(0, 0.5, generator=generator)
    rows = lambda model: [("prompt_embeddings", model.prompt_encoder["default"].embedding.weight)]
    adapter = OUT / "cases/prefix-grad/adapter"
    tuned.save_pretrained(adapter)
    (adapter / "README.md").unlink(missing_ok=True)
    saved = json.loads((adapter / "adapter_config.json").read_text())
    saved["base_model_name_or_path"] = "model"
    (adapter / "adapter_config.json").write_text(json.dumps(saved, indent=1, sort_keys=True) + "\n")
    write("prefix-grad", ["--adapter", "adapter", "--grad"], batch, losses(copy.deepcopy(tuned).double(), batch, rows), losses(tuned, batch, rows))

    left = {"input_ids": torch.zeros_like(tokens), "attention_mask": mask.flip(1)}
    for i, length in enumerate(LENGTHS):
        left["input_ids"][i, -length:] = tokens[i, :length]
    options = ["--generate", "--max-new-tokens", "14"]
    for name, beams in (("generate-greedy", 1), ("generate-beams", 3)):
        sequences = {"sequences": generated(left, num_beams=beams)}
        write(name, [*options, "--num-beams", str(beams)], left, sequences, sequences)


if __name__ == "__main__":
    main()
