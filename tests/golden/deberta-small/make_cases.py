#!/usr/bin/env python3
"""Writes tiny DeBERTa models with options that the published checkpoints don't have together, and what transformers (5.17.0, torch 2.13.0,
CPU, float64) computes with them: logits, loss and the gradient of every parameter.

    python3 make_cases.py
"""

import json
import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import DebertaV2Config, DebertaV2ForMaskedLM, DebertaV2ForSequenceClassification, DebertaV2ForTokenClassification

HERE = pathlib.Path(__file__).parent
COMMON = dict(vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, max_position_embeddings=16,
              hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, relative_attention=True)
CASES = {
    # position tables of their own, absolute positions, types, a narrower embedding, the masked-LM head
    "separate": (DebertaV2ForMaskedLM, "MASKED_LM",
                 dict(share_att_key=False, pos_att_type=["p2c", "c2p"], position_buckets=4, norm_rel_ebd="layer_norm", type_vocab_size=2,
                      position_biased_input=True, embedding_size=6)),
    # one term, a row for each distance, position embeddings as they are, text where lists are usual
    "c2p": (DebertaV2ForSequenceClassification, "SEQ_CLS",
            dict(share_att_key=True, pos_att_type="c2p", max_relative_positions=5, norm_rel_ebd="none", position_biased_input=False, num_labels=3)),
    "p2c": (DebertaV2ForTokenClassification, "TOKEN_CLS",
            dict(share_att_key=False, pos_att_type=["p2c"], position_buckets=6, max_relative_positions=9, norm_rel_ebd="layer_norm",
                 position_biased_input=False, num_labels=4)),
    # no relative attention: the terms count for the scale alone
    "absolute": (DebertaV2ForSequenceClassification, "SEQ_CLS",
                 dict(relative_attention=False, pos_att_type=["c2p", "p2c"], position_biased_input=True, num_labels=2)),
}
LENGTHS = [11, 4, 7]

for name, (model_class, task, options) in CASES.items():
    torch.manual_seed(len(name))
    config = DebertaV2Config(**{**COMMON, **options})
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            parameter.normal_(1.0 if parameter_name.endswith("LayerNorm.weight") else 0.0, 0.4)
    folder = HERE / f"model-{name}"
    model.save_pretrained(folder)
    saved = set(load_file(folder / "model.safetensors"))
    model = model.double()

    longest = max(LENGTHS)
    mask = torch.tensor([[1] * n + [0] * (longest - n) for n in LENGTHS])
    inputs = {"input_ids": torch.randint(1, config.vocab_size, mask.shape), "attention_mask": mask}
    if config.type_vocab_size:
        inputs["token_type_ids"] = torch.randint(0, config.type_vocab_size, mask.shape)
    classes = config.vocab_size if task == "MASKED_LM" else config.num_labels
    if task == "SEQ_CLS":
        inputs["labels"] = torch.randint(0, classes, (len(LENGTHS),))
    else:
        inputs["labels"] = torch.randint(0, classes, mask.shape).masked_fill((mask == 0) | (torch.rand(mask.shape) < 0.3), -100)
    result = model(**inputs)
    result.loss.backward()
    logits = result.logits if task == "SEQ_CLS" else result.logits * mask[..., None]
    outputs = {"logits": logits.detach(), "loss": result.loss.detach()}
    outputs.update({f"grad.{n}": p.grad for n, p in model.named_parameters() if n in saved and p.grad is not None})

    case = HERE / "cases" / f"full-{name}"
    case.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous() for n, t in inputs.items()}, case / "in.safetensors")
    save_file({n: t.float().contiguous() for n, t in outputs.items()}, case / "out.safetensors")
    args = ["--model", f"../../model-{name}", "--task", task, "--method", "full", "--grad", "--in", "in.safetensors"]
    note = {"arch": "deberta-small", "args": args, "expect": {n: {"tol": 1e-5} for n in outputs}, "note": ""}
    (case / "case.json").write_text(json.dumps(note, indent=1) + "\n")
