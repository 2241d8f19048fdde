#!/usr/bin/env python3
"""Training steps of transformers + PEFT on the CPU, for `bench/compare`.

    pytorch_cpu.py WORKLOAD --compute f32 --threads 2

Builds the model with random weights and reads commands from standard input, a line each: `eager full 3`, `compiled ragged 3` (steps, of which the
fastest counts). Answers each with a line of JSON. bf16: frozen weights in bf16, trained ones in float32, autocast.
"""

import argparse
import json
import resource
import sys
import time
from contextlib import nullcontext

import peft_import

torch, transformers, peft = peft_import.load()

SEQUENCES = 8


def t5_base():
    config = transformers.T5Config(
        num_layers=12, num_decoder_layers=12, d_model=768, d_ff=2048, num_heads=12, d_kv=64, vocab_size=32128, feed_forward_proj="gated-gelu",
        dropout_rate=0.0, decoder_start_token_id=0, tie_word_embeddings=False, use_cache=False,
    )
    return transformers.T5ForConditionalGeneration(config)


def gpt2():
    config = transformers.GPT2Config(embd_pdrop=0, attn_pdrop=0, resid_pdrop=0, use_cache=False)
    return transformers.GPT2LMHeadModel(config)


def bert_base():
    config = transformers.BertConfig(hidden_dropout_prob=0, attention_probs_dropout_prob=0, num_labels=2)
    return transformers.BertForSequenceClassification(config)


# name: model, adapter, tokens, target tokens
WORKLOADS = {
    "t5-base": (t5_base, lambda: peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=100), 256, 16),
    "gpt2": (gpt2, lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=10), 256, 0),
    "bert-base": (bert_base, lambda: peft.PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=16), 128, 0),
}


def resident():
    """Bytes now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def peak():
    """Bytes at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def padded(rows, fill):
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows])


def batch_of(name, ragged):
    """Inputs, and the number of tokens without padding. Ragged lengths rise evenly up to the longest: half of it on average."""
    generator = torch.Generator().manual_seed(1)
    tokens, target = WORKLOADS[name][2:]

    def texts(longest):
        lengths = [max(1, longest * (i + 1) // SEQUENCES) if ragged else longest for i in range(SEQUENCES)]
        return [torch.randint(3, 20000, (n,), generator=generator).tolist() for n in lengths]

    sources = texts(tokens)
    inputs = {"input_ids": padded(sources, 0), "attention_mask": padded([[1] * len(row) for row in sources], 0)}
    count = sum(len(row) for row in sources)
    if name == "bert-base":
        inputs["labels"] = torch.randint(0, 2, (SEQUENCES,), generator=generator)
    elif target:
        targets = texts(target)
        inputs["labels"] = padded(targets, -100)
        count += sum(len(row) for row in targets)
    else:
        inputs["labels"] = padded(sources, -100)
    return inputs, count


class Side:
    def __init__(self, name, compute):
        torch.manual_seed(0)
        self.name = name
        self.compute = compute
        build, adapter = WORKLOADS[name][:2]
        self.idle = resident()
        model = build()
        if compute == "bf16":
            model = model.to(torch.bfloat16)
        self.model = peft.get_peft_model(model, adapter()).train()
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=1e-3)
        self.compiled = None

    def step(self, model, inputs):
        autocast = torch.autocast("cpu", dtype=torch.bfloat16) if self.compute == "bf16" else nullcontext()
        begin = time.perf_counter()
        with autocast:
            loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        loss.item()
        return time.perf_counter() - begin

    def run(self, mode, kind, steps):
        model = self.model
        if mode == "compiled":
            # not `or`: a PEFT model has no truth value
            if self.compiled is None:
                self.compiled = torch.compile(self.model)
            model = self.compiled
        inputs, tokens = batch_of(self.name, kind == "ragged")
        first = self.step(model, inputs)
        times = [self.step(model, inputs) for _ in range(steps)]
        return {
            "step_ms": min(times) * 1e3,
            "tokens_per_second": tokens / min(times),
            "first_step_s": first,
            "peak_bytes": peak() - self.idle,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", choices=list(WORKLOADS))
    parser.add_argument("--compute", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=2)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    side = Side(settings.workload, settings.compute)
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}"
    print(json.dumps({"ready": versions, "cpu_kernels": torch.backends.cpu.get_cpu_capability()}), flush=True)
    for line in sys.stdin:
        mode, kind, steps = line.split()
        try:
            print(json.dumps(side.run(mode, kind, int(steps))), flush=True)
        except Exception as error:  # whatever a compiler throws: the table has a gap
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), flush=True)


if __name__ == "__main__":
    main()
