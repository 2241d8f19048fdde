#!/usr/bin/env python3
"""Prompt tuning of a T5 with transformers + PEFT, in float32 on the CPU: writes the loss of every step.

The loss of a step is the mean over the batch's target tokens, before the step's update. Dropout is off.
"""

import argparse
import json
import statistics
import time

import safetensors.torch
import torch
import transformers

import adafactor
import reference

PAD = 0
IGNORED = -100  # torch's cross entropy leaves such targets out


def read_batches(path):
    with open(path, encoding="utf-8") as file:
        batches = [json.loads(line) for line in file if line.strip()]
    if not batches:
        raise SystemExit(f"{path}: no batch; wanted at least one line")
    return [model_inputs(batch) for batch in batches]


def model_inputs(batch):
    source, mask = padded(batch["source"], PAD)
    labels, _ = padded(batch["target"], IGNORED)
    return {"input_ids": source, "attention_mask": mask, "labels": labels}


def padded(rows, filler):
    width = max(map(len, rows))
    ids = torch.tensor([row + [filler] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def load(model_directory, prompt_file):
    base = transformers.T5ForConditionalGeneration.from_pretrained(model_directory, dtype=torch.float32)
    initial = safetensors.torch.load_file(prompt_file)["prompt_embeddings"].float()
    model = reference.prompt_tuned(base, initial.shape[0])
    model.eval()  # no dropout
    with torch.no_grad():
        reference.prompt_parameter(model).copy_(initial)
    return model


def make_optimizer(settings, prompt):
    common = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.optim == "adamw":
        betas = (settings.adam_beta1, settings.adam_beta2)
        return torch.optim.AdamW([prompt], betas=betas, eps=settings.adam_epsilon, **common)
    return adafactor.Adafactor([prompt], step_offset=settings.adafactor_step_offset, **common)


def make_scheduler(settings, optimizer):
    warmup = settings.warmup_steps
    if settings.lr_scheduler_type == "linear":
        return transformers.get_linear_schedule_with_warmup(optimizer, warmup, settings.steps)
    return transformers.get_constant_schedule_with_warmup(optimizer, warmup)


def train(settings):
    torch.set_num_threads(settings.threads)
    model = load(settings.model, settings.prompt)
    prompt = reference.prompt_parameter(model)
    batches = read_batches(settings.batches)
    optimizer = make_optimizer(settings, prompt)
    scheduler = make_scheduler(settings, optimizer)

    losses, times = [], []
    for step in range(settings.steps):
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss = model(**batches[step % len(batches)]).loss
        loss.backward()
        if settings.max_grad_norm > 0.0:
            torch.nn.utils.clip_grad_norm_([prompt], settings.max_grad_norm)
        optimizer.step()
        scheduler.step()
        times.append(time.perf_counter() - begin)
        losses.append(loss.item())
    if settings.save_prompt:
        safetensors.torch.save_file({"prompt_embeddings": prompt.detach().clone()}, settings.save_prompt, metadata={"format": "pt"})
    return {"losses": losses, "ms_per_step": 1000.0 * statistics.median(times), "peak_rss_bytes": reference.peak_rss_bytes()}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="DIR", help="Hugging Face folder of a T5")
    parser.add_argument("--prompt", required=True, metavar="FILE", help="safetensors with the initial prompt_embeddings [P, D]")
    parser.add_argument(
        "--batches",
        required=True,
        metavar="FILE",
        help='JSONL, a line a batch: {"source": [[id, ...], ...], "target": [[id, ...], ...]}; used in turn, again from the first',
    )
    # named as in transformers and in `preamble train`
    parser.add_argument("--optim", choices=["adamw", "adafactor"], default="adamw")
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--max-grad-norm", type=float, default=0.0, help="0: no clipping")
    parser.add_argument("--adam-beta1", type=float, default=0.9)
    parser.add_argument("--adam-beta2", type=float, default=0.999)
    parser.add_argument("--adam-epsilon", type=float, default=1e-8)
    parser.add_argument("--adafactor-step-offset", type=int, default=1_100_000, help="global step at the start; t5x resumes at 1100000")
    parser.add_argument("--lr-scheduler-type", choices=["constant", "linear"], default="constant", help="after the warm-up; linear: to 0")
    parser.add_argument("--warmup-steps", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--save-prompt", metavar="FILE", help="safetensors for the trained prompt_embeddings")
    parser.add_argument("--out", required=True, metavar="FILE", help="JSON: losses, ms_per_step (median), peak_rss_bytes")
    return parser.parse_args()


def main():
    settings = parse_arguments()
    result = train(settings)
    with open(settings.out, "w", encoding="utf-8") as file:
        json.dump(result, file)
        file.write("\n")


if __name__ == "__main__":
    main()
