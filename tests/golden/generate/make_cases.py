#!/usr/bin/env python3
"""Writes cases.json and warpers.json: what transformers (5.17.0, torch 2.13.0, CPU) generates with a toy model.

    python3 make_cases.py

The toy model's logits are a hash of the last `order` tokens (0: of all), the same arithmetic as ToyDecoder in
tests/models/generate/toy_decoder.h. Each prompt is generated alone unless the case says "batched". Cases whose answer changes with noise
of 1e-4 on the logits are left out.
"""

import json
import pathlib
import random
import warnings

import numpy as np
import torch
from transformers import GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
from transformers.modeling_outputs import CausalLMOutput
from transformers.utils import logging

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1


def hashed(ids, model):
    """[V] numbers in [0, 1), multiples of 2^-24."""
    h = model["seed"]
    for token in ids:
        h = ((h ^ (token + 1)) * 0x100000001B3) & MASK
    z = np.uint64(h) + np.arange(1, model["vocabulary"] + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)


def toy_logits(ids, model, noise):
    logits = (hashed(ids[-model["order"]:] if model["order"] else ids, model) - np.float32(0.5)) * np.float32(model["scale"])
    for token in model["ends"]:
        logits[token] += np.float32(model["end_bias"])
    return logits + np.float32(noise) * hashed(ids, model)


class ToyConfig(PreTrainedConfig):
    model_type = "toy"

    def __init__(self, toy=None, **kwargs):
        self.toy = toy
        self.vocab_size = toy["vocabulary"] if toy else 1
        super().__init__(**kwargs)


class Toy(PreTrainedModel, GenerationMixin):
    config_class = ToyConfig

    def __init__(self, config):
        super().__init__(config)
        self.noise = 0.0
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def prepare_inputs_for_generation(self, input_ids, **kwargs):
        return {"input_ids": input_ids}

    def forward(self, input_ids, attention_mask=None, return_dict=True, **kwargs):
        rows = [toy_logits(row, self.config.toy, self.noise) for row in input_ids.tolist()]
        return CausalLMOutput(logits=torch.from_numpy(np.stack(rows))[:, None])


def draw_case(rng):
    vocabulary = rng.choice([7, 12, 31])
    tokens = range(vocabulary)
    ends = rng.sample(tokens, rng.choice([0, 1, 1, 1, 2, 3]) if vocabulary > 7 else rng.choice([0, 1, 1, 1]))
    beams = rng.choice([1, 2, 3, 5])
    if beams > 1 and rng.random() < 0.2:
        beams = 4
    options = {"num_beams": beams}

    def maybe(chance, name, values):
        if rng.random() < chance:
            options[name] = rng.choice(values)

    if beams > 1:
        maybe(0.8, "length_penalty", [-1.0, 0.0, 0.6, 0.8, 1.3, 2.0])
        maybe(0.8, "early_stopping", [True, True, False, "never"])
        maybe(0.3, "num_return_sequences", list(range(2, beams + 1)))
    maybe(0.9, "max_new_tokens", [1, 3, 6, 10, 14])
    if "max_new_tokens" not in options:
        maybe(0.7, "max_length", [7, 10, 15])
    maybe(0.3, "min_new_tokens", [0, 2, 4])
    maybe(0.2, "min_length", [3, 8])
    maybe(0.4, "no_repeat_ngram_size", [1, 2, 2, 3] if vocabulary > 12 else [2, 2, 3])
    maybe(0.2, "repetition_penalty", [0.8, 1.3, 2.0])
    maybe(0.15, "forced_bos_token_id", list(tokens))
    maybe(0.15, "forced_eos_token_id", ends or list(tokens))
    if rng.random() < 0.2:
        options["bad_words_ids"] = [rng.sample(tokens, rng.choice([1, 2, 2, 3])) for _ in range(3)]
        if all(len(word) == 1 and word[0] in ends for word in options["bad_words_ids"]):
            del options["bad_words_ids"]
    maybe(0.1, "suppress_tokens", [rng.sample(tokens, 2)])
    if ends:
        options["eos_token_id"] = ends if len(ends) > 1 or rng.random() < 0.5 else ends[0]
        maybe(0.8, "pad_token_id", [0, 0, 3])
    model = {
        "vocabulary": vocabulary,
        "order": rng.choice([0, 1, 1, 2]),
        "seed": rng.getrandbits(63),
        "scale": rng.choice([1.0, 4.0, 8.0]),
        "ends": ends,
        "end_bias": rng.choice([-1.0, 0.0, 1.0, 2.0]),
    }
    batched = rng.random() < 0.3 and (not ends or "pad_token_id" in options)
    lengths = [rng.randint(1, 6)] * 3 if batched else [1] * 3 if rng.random() < 0.4 else [rng.randint(1, 6) for _ in range(3)]
    prompts = [[rng.randrange(vocabulary) for _ in range(length)] for length in lengths]
    return {"model": model, "options": options, "batched": batched, "prompts": prompts}


def answer(case, noise=0.0):
    model = Toy(ToyConfig(toy=case["model"])).eval()
    model.noise = noise
    config = GenerationConfig(use_cache=False, **case["options"])
    batches = [case["prompts"]] if case["batched"] else [[prompt] for prompt in case["prompts"]]
    return [model.generate(torch.tensor(batch), attention_mask=torch.ones(len(batch), len(batch[0])),
                           generation_config=config).tolist() for batch in batches]


def draw_warper(rng):
    vocabulary = rng.choice([5, 12, 40])
    scores = [round(rng.gauss(0, 2), 2) for _ in range(vocabulary)]
    options = {"temperature": rng.choice([0.5, 0.7, 1.0, 1.9]), "top_k": rng.choice([0, 1, 3, 10, 50]),
               "top_p": rng.choice([0.0, 0.3, 0.9, 0.95, 1.0])}
    beams = rng.choice([1, 1, 2])
    ends = rng.choice([0, 1, 2])
    keep = 1 if beams == 1 else (ends or 1) + 1
    row = torch.tensor([scores])
    if options["temperature"] != 1.0:
        row = TemperatureLogitsWarper(options["temperature"])(None, row)
    if options["top_k"]:
        row = TopKLogitsWarper(options["top_k"], min_tokens_to_keep=keep)(None, row)
    if options["top_p"] < 1.0:
        row = TopPLogitsWarper(options["top_p"], min_tokens_to_keep=keep)(None, row)
    kept = [None if np.isneginf(x) else x for x in row[0].tolist()]
    return {"options": {**options, "num_beams": beams, "eos_token_id": list(range(ends))}, "scores": scores, "expected": kept}


def write(name, cases):
    text = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / name).write_text('{"cases":[\n' + text + "\n]}\n")


def main():
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    rng = random.Random(20)
    cases = []
    while len(cases) < 240:
        case = draw_case(rng)
        try:
            case["expected"] = answer(case)
        except ValueError as error:
            # a prompt that is too long, a forced token that is suppressed: drawn again
            assert "max_length" in str(error) or "suppress_tokens" in str(error), error
            continue
        # with order 1, sequences of the same bigrams have the same probability: rounding would choose
        if answer(case, 1e-4) == case["expected"] == answer(case, -1e-4):
            cases.append(case)
    write("cases.json", cases)
    write("warpers.json", [draw_warper(rng) for _ in range(60)])


if __name__ == "__main__":
    main()
