#!/usr/bin/env python3
"""Peak memory and time of a training step with transformers + PEFT on the CPU, on a T5 v1.1 with random weights.

Prompt tuning and full fine-tuning, each in a process of its own, AdamW, float32, no dropout, all sequences at full
length: the settings of `bench/memory`. Prints JSON. The peak is that of the training steps, after the model was made.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

SHAPES = {
    "t5-small": {"d_model": 512, "num_heads": 6, "d_ff": 1024, "num_layers": 8},
    "t5-base": {"d_model": 768, "num_heads": 12, "d_ff": 2048, "num_layers": 12},
}
METHODS = ("prompt", "full")


def make_model(shape):
    import torch
    import transformers

    config = transformers.T5Config(
        **shape,
        num_decoder_layers=shape["num_layers"],
        d_kv=64,
        vocab_size=32128,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        decoder_start_token_id=0,
        use_cache=False,
    )
    model = transformers.T5ForConditionalGeneration(config)
    # v1.1 has a head of its own, but transformers 5 ties every T5 that it makes from a configuration
    model.config.scale_decoder_outputs = False
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * shape["d_model"] ** -0.5)
    return model


def measure(settings):
    import torch

    import reference

    torch.manual_seed(0)
    torch.set_num_threads(settings.threads)
    model = make_model(SHAPES[settings.model])
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if settings.method == "prompt":
        model = reference.prompt_tuned(model, settings.prompt)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-4)
    batch = {
        "input_ids": torch.randint(2, 32000, (settings.batch, settings.source)),
        "attention_mask": torch.ones(settings.batch, settings.source, dtype=torch.long),
        "labels": torch.randint(2, 32000, (settings.batch, settings.target)),
    }

    before = reference.rss_bytes()
    reference.reset_peak_rss()
    times = []
    for _ in range(settings.steps + 1):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        model(**batch).loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - begin)
    return {
        "method": settings.method,
        "parameters": parameters,
        "trainable": sum(parameter.numel() for parameter in trainable),
        # the first step warms up
        "ms_per_step": 1000.0 * statistics.median(times[1:]),
        "rss_before_bytes": before,
        "peak_rss_bytes": reference.peak_rss_bytes(),
        "torch": torch.__version__,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SHAPES, default="t5-base")
    parser.add_argument("--method", choices=METHODS, help="only this one, in this process")
    parser.add_argument("--batch", type=int, default=8, help="sequences")
    parser.add_argument("--source", type=int, default=256, help="tokens a sequence")
    parser.add_argument("--target", type=int, default=16, help="tokens a sequence")
    parser.add_argument("--prompt", type=int, default=100, help="prompt rows")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3, help="timed steps, after one that warms up")
    settings = parser.parse_args()
    if settings.method:
        print(json.dumps(measure(settings)))
        return
    results = []
    for method in METHODS:
        child = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--method", method], stdout=subprocess.PIPE, check=True)
        results.append(json.loads(child.stdout.splitlines()[-1]))
    shown = {name: value for name, value in vars(settings).items() if name != "method"}
    print(json.dumps({"settings": shown, "results": results}, indent=2))


if __name__ == "__main__":
    main()
