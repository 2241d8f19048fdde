#!/usr/bin/env python3
"""Training steps and generation of transformers + PEFT: the workloads of `bench/gpu` and of `bench/generation --time`.

    bench/pytorch.py                                  # steps of what PEFT trains, eager
    bench/pytorch.py --all                            # the whole table: every mode of every workload, and generation
    bench/pytorch.py --mode generate --model t5-large
    bench/pytorch.py --all --device cpu --tiny        # does it run?

Modes: `peft`, `peft-compiled`, `full-amp` (all weights in float32, autocast to bf16), `full-amp-compiled`, and `generate` (64 sequences, beam 5, 128
new tokens). Weights at random, bf16 where they are frozen; AdamW, no dropout, all sequences at full length. A line of JSON each: milliseconds
of a step (median), GiB of the process on the device without its context, tokens per second. Each runs in a process of its own, so that one that
fails or fills the memory leaves the others alone. Compiled steps are timed where the first one takes less than `--patience` seconds.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time

import peft_import

MODES = ["peft", "peft-compiled", "full-amp", "full-amp-compiled", "generate"]
GIB = 2.0**30
# sizes with --tiny: is the script right?
TINY = {"layers": 2, "width": 64, "inner": 128, "heads": 4, "head": 16, "vocabulary": 500}


class Sizes:
    """Sizes of a workload: those of the published model, or small ones."""

    def __init__(self, tiny):
        self.tiny = tiny

    def __call__(self, published, name):
        return TINY[name] if self.tiny else published


def gpt2(hf, sizes, layers, width, heads):
    config = hf.GPT2Config(
        n_layer=sizes(layers, "layers"), n_embd=sizes(width, "width"), n_head=sizes(heads, "heads"), vocab_size=sizes(50257, "vocabulary"),
        n_positions=1024, embd_pdrop=0, attn_pdrop=0, resid_pdrop=0, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )
    return hf.GPT2LMHeadModel(config)


def t5(hf, sizes, layers, width, inner, heads):
    layers = sizes(layers, "layers")
    config = hf.T5Config(
        num_layers=layers, num_decoder_layers=layers, d_model=sizes(width, "width"), d_ff=sizes(inner, "inner"), num_heads=sizes(heads, "heads"),
        d_kv=sizes(64, "head"), vocab_size=sizes(32128, "vocabulary"), feed_forward_proj="gated-gelu", dropout_rate=0.0, decoder_start_token_id=0,
        tie_word_embeddings=False,
    )
    return hf.T5ForConditionalGeneration(config)


def bert_large(hf, sizes):
    config = hf.BertConfig(
        hidden_size=sizes(1024, "width"), num_hidden_layers=sizes(24, "layers"), num_attention_heads=sizes(16, "heads"),
        intermediate_size=sizes(4096, "inner"), vocab_size=sizes(30522, "vocabulary"), hidden_dropout_prob=0, attention_probs_dropout_prob=0,
        num_labels=2,
    )
    return hf.BertForSequenceClassification(config)


def bart_large(hf, sizes):
    layers, inner, heads = sizes(12, "layers"), sizes(4096, "inner"), sizes(16, "heads")
    config = hf.BartConfig(
        encoder_layers=layers, decoder_layers=layers, d_model=sizes(1024, "width"), encoder_ffn_dim=inner, decoder_ffn_dim=inner,
        encoder_attention_heads=heads, decoder_attention_heads=heads, vocab_size=sizes(50265, "vocabulary"), dropout=0, attention_dropout=0,
        activation_dropout=0,
    )
    return hf.BartForConditionalGeneration(config)


def prefix(task, tokens):
    return lambda peft: peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=tokens)


def prompt(tokens):
    return lambda peft: peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=tokens)


# name: model, adapter, sequences, tokens, target tokens
WORKLOADS = {
    "gpt2-medium": (lambda hf, s: gpt2(hf, s, 24, 1024, 16), prefix("CAUSAL_LM", 10), 16, 512, 0),
    "t5-large": (lambda hf, s: t5(hf, s, 24, 1024, 2816, 16), prompt(100), 16, 512, 32),
    "bert-large": (bert_large, prefix("SEQ_CLS", 128), 32, 256, 0),
    "bart-large": (bart_large, prefix("SEQ_2_SEQ_LM", 200), 16, 512, 64),
    "gpt2-xl": (lambda hf, s: gpt2(hf, s, 48, 1600, 25), prefix("CAUSAL_LM", 10), 8, 1000, 0),
    "t5-xl": (lambda hf, s: t5(hf, s, 24, 2048, 5120, 32), prompt(100), 16, 512, 32),
}
GENERATING = ["gpt2-medium", "t5-large"]


class Device:
    """A GPU, or the CPU, which has no memory of its own to speak of."""

    def __init__(self, torch, name):
        self.torch, self.name, self.is_gpu = torch, name, name.startswith("cuda")

    def used(self):
        if not self.is_gpu:
            return 0
        free, total = self.torch.cuda.mem_get_info()
        return total - free

    def wait(self):
        if self.is_gpu:
            self.torch.cuda.synchronize()


def made(torch, device, build, sizes, dtype):
    import transformers

    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device.name):
            return build(transformers, sizes)
    finally:
        torch.set_default_dtype(torch.float32)


def fed(torch, device, name, sizes, sequences, tokens, target):
    generator = torch.Generator(device=device.name).manual_seed(1)
    words = sizes(20000, "vocabulary")

    def ids(*shape):
        return torch.randint(3, words, shape, generator=generator, device=device.name)

    inputs = {"input_ids": ids(sequences, tokens), "attention_mask": torch.ones(sequences, tokens, dtype=torch.long, device=device.name)}
    if name == "bert-large":
        inputs["labels"] = torch.randint(0, 2, (sequences,), generator=generator, device=device.name)
    else:
        inputs["labels"] = ids(sequences, target) if target else inputs["input_ids"]
    return inputs


def cut(o, sequences, tokens, target):
    """The batch, small with --tiny."""
    return (2, 24, 8 if target else 0) if o.tiny else (sequences, tokens, target)


def train(o, name, mode):
    import torch

    device, sizes = Device(torch, o.device), Sizes(o.tiny)
    build, adapter, *batch = WORKLOADS[name]
    device.wait()
    # the context
    torch.zeros(1, device=device.name)
    before = device.used()
    compiled, full = mode.endswith("compiled"), mode.startswith("full")
    model = made(torch, device, build, sizes, torch.float32 if full else torch.bfloat16)
    # keys and values of a cache are no part of training
    model.config.use_cache = False
    if not full:
        peft = peft_import.load()[2]
        model = peft.get_peft_model(model, adapter(peft)).to(device.name)
    model.train()
    inputs = fed(torch, device, name, sizes, *cut(o, *batch))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4 if full else 1e-3)
    forward = torch.compile(model) if compiled else model

    def amp():
        kind = "cuda" if device.is_gpu else "cpu"
        return torch.autocast(kind, dtype=torch.bfloat16) if full else contextlib.nullcontext()

    def step():
        device.wait()
        begin = time.perf_counter()
        with amp():
            loss = forward(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value = loss.item()
        device.wait()
        return (time.perf_counter() - begin) * 1e3, value

    first, loss = step()
    result = {"first_step_s": first / 1e3, "first_loss": loss}
    if first > o.patience * 1e3:
        return {**result, "given_up": f"the first step took more than {o.patience} s"}
    for _ in range(3):
        step()
    times = [step()[0] for _ in range(o.steps)]
    result.update(step_ms=statistics.median(times), fastest_ms=min(times))
    if device.is_gpu:
        result.update(allocated_gib=torch.cuda.max_memory_allocated() / GIB, process_gib=(device.used() - before) / GIB)
    return result


def generate(o, name):
    import torch

    device, sizes = Device(torch, o.device), Sizes(o.tiny)
    model = made(torch, device, WORKLOADS[name][0], sizes, torch.bfloat16).eval()
    sequences, tokens, new_tokens = (2, 8, 4) if o.tiny else (o.sequences, o.input, o.new_tokens)
    ids = torch.randint(3, sizes(20000, "vocabulary"), (sequences, tokens), device=device.name)
    options = {"num_beams": o.beams, "max_new_tokens": new_tokens, "min_new_tokens": new_tokens, "do_sample": False, "use_cache": True}
    times = []
    for _ in range(2):
        device.wait()
        begin = time.perf_counter()
        with torch.no_grad():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        device.wait()
        times.append(time.perf_counter() - begin)
    # a decoder-only model repeats its input, the others begin with a token of their own
    made_tokens = out.shape[1] - (tokens if model.config.model_type == "gpt2" else 1)
    if made_tokens != new_tokens:
        raise RuntimeError(f"{made_tokens} tokens were generated; wanted {new_tokens}")
    return {"generate_ms": min(times) * 1e3, "tokens_per_s": sequences * new_tokens / min(times)}


def run(o, name, mode):
    result = {"model": name, "mode": mode, "device": o.device}
    try:
        result.update(generate(o, name) if mode == "generate" else train(o, name, mode))
    except Exception as error:  # noqa: BLE001: a workload that fails is a line of the report
        result["error"] = f"{type(error).__name__}: {error}"[:500]
    return result


def work_of(o):
    if not o.all:
        return [(name, mode) for mode in o.mode for name in o.model or (GENERATING if mode == "generate" else WORKLOADS)]
    chosen = o.model or list(WORKLOADS)
    return [(name, mode) for name in chosen for mode in MODES if mode != "generate" or name in GENERATING]


def apart(o, name, mode):
    """The result of a process of its own."""
    command = [sys.executable, __file__, "--one", "--model", name, "--mode", mode, "--device", o.device, "--steps", str(o.steps)]
    command += ["--patience", str(o.patience), "--sequences", str(o.sequences), "--input", str(o.input), "--beams", str(o.beams)]
    command += ["--new-tokens", str(o.new_tokens), *(["--tiny"] if o.tiny else [])]
    failed = {"model": name, "mode": mode, "device": o.device}
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=o.time_limit, check=False)
    except subprocess.TimeoutExpired:
        return {**failed, "error": f"took more than {o.time_limit} s"}
    lines = ended.stdout.strip().splitlines()
    if ended.returncode or not lines:
        return {**failed, "error": f"ended with status {ended.returncode}: {ended.stderr[-300:]}"}
    return json.loads(lines[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="*", choices=list(WORKLOADS))
    parser.add_argument("--mode", nargs="*", choices=MODES, default=["peft"])
    parser.add_argument("--all", action="store_true", help="every mode")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu")
    parser.add_argument("--tiny", action="store_true", help="small models and batches: does it run?")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--patience", type=float, default=120, help="seconds that a first step may take")
    parser.add_argument("--time-limit", type=float, default=420, help="seconds that a mode of a workload may take")
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--input", type=int, default=32)
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--json", help="also write the lines to this file")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.one:
        print(json.dumps(run(o, o.model[0], o.mode[0])), flush=True)
        return 0
    failures = 0
    for name, mode in work_of(o):
        result = apart(o, name, mode)
        failures += "error" in result
        print(json.dumps(result), flush=True)
        if o.json:
            with open(o.json, "a", encoding="utf-8") as log:
                log.write(json.dumps(result) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
