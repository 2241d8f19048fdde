#!/usr/bin/env python3
"""Writes the cases `lora-*` of bert, gpt2, bart, llama and t5-v11: what transformers (5.24.0) and PEFT (0.21.2, torch 2.15.0, CPU) compute in float64 with
LoRA on the small models that lie here. t5.md describes the layout.

    python3 make_lora.py [ARCH]...

A adapter is PEFT's own folder, with random A and B. Gradients have the names of the adapter's tensors; those of a head lack `model.`.
"""

import copy
import json
import pathlib
import shutil
import sys

import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
LENGTHS = [9, 4, 6]
STEPS = 6
TRAINING = ["--steps", str(STEPS), "--optim", "adamw", "--learning-rate", "0.02", "--lr-scheduler-type", "constant", "--weight-decay", "0.1",
            "--max-grad-norm", "1.0", "--adam-beta1", "0.9", "--adam-beta2", "0.95", "--adam-epsilon", "1e-06"]


def masked(lengths):
    longest = max(lengths)
    return torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])


def causal_inputs(config, generator):
    mask = masked(LENGTHS)
    tokens = torch.randint(3, config.vocab_size - 1, mask.shape, generator=generator)
    return {"input_ids": tokens, "attention_mask": mask, "labels": tokens.masked_fill(mask == 0, -100)}


def seq2seq_inputs(config, generator):
    mask, targets = masked(LENGTHS), masked([3, 5, 2])
    labels = torch.randint(3, config.vocab_size, targets.shape, generator=generator).masked_fill(targets == 0, -100)
    return {"input_ids": torch.randint(3, config.vocab_size, mask.shape, generator=generator), "attention_mask": mask, "labels": labels}


def class_inputs(config, generator):
    mask = masked(LENGTHS)
    return {"input_ids": torch.randint(3, config.vocab_size, mask.shape, generator=generator), "attention_mask": mask,
            "labels": torch.tensor([2, 0, 1])}


CASES = {
    "gpt2": [
        ("lora-grad", transformers.GPT2LMHeadModel, causal_inputs, {"task_type": "CAUSAL_LM", "r": 3, "lora_alpha": 6}, ["--grad"]),
        ("lora-rslora-grad", transformers.GPT2LMHeadModel, causal_inputs,
         {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 2, "use_rslora": True, "target_modules": ["c_attn", "c_proj", "c_fc"]}, ["--grad"]),
        ("lora-adamw", transformers.GPT2LMHeadModel, causal_inputs, {"task_type": "CAUSAL_LM", "r": 3, "lora_alpha": 6}, TRAINING),
    ],
    "bert": [
        ("lora-cls-grad", transformers.BertForSequenceClassification, class_inputs, {"task_type": "SEQ_CLS", "r": 3, "lora_alpha": 6}, ["--grad"]),
        ("lora-all-cls-grad", transformers.BertForSequenceClassification, class_inputs,
         {"task_type": "SEQ_CLS", "r": 2, "lora_alpha": 4, "target_modules": r".*layer\.[01]\..*(query|key|value|dense)"}, ["--grad"]),
        ("lora-cls-adamw", transformers.BertForSequenceClassification, class_inputs, {"task_type": "SEQ_CLS", "r": 3, "lora_alpha": 6}, TRAINING),
    ],
    "bart": [
        ("lora-grad", transformers.BartForConditionalGeneration, seq2seq_inputs,
         {"task_type": "SEQ_2_SEQ_LM", "r": 3, "lora_alpha": 6, "target_modules": ["q_proj", "v_proj", "fc1", "fc2"]}, ["--grad"]),
    ],
    "t5-v11": [
        ("lora-grad", transformers.T5ForConditionalGeneration, seq2seq_inputs, {"task_type": "SEQ_2_SEQ_LM", "r": 3, "lora_alpha": 6}, ["--grad"]),
        ("lora-ff-grad", transformers.T5ForConditionalGeneration, seq2seq_inputs,
         {"task_type": "SEQ_2_SEQ_LM", "r": 2, "lora_alpha": 4, "target_modules": ["k", "o", "wi_0", "wi_1", "wo"]}, ["--grad"]),
    ],
    "llama": [
        ("lora-grad", transformers.LlamaForCausalLM, causal_inputs, {"task_type": "CAUSAL_LM", "r": 3, "lora_alpha": 6}, ["--grad"]),
        ("lora-all-grad", transformers.LlamaForCausalLM, causal_inputs,
         {"task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 4, "target_modules": "all-linear"}, ["--grad"]),
    ],
}


def name_of(parameter):
    """As in adapter_model.safetensors; ours for heads."""
    name = parameter.replace(".default", "").replace(".modules_to_save", "")
    return name if ".lora_" in name else name.replace("base_model.model.", "base_model.")


def randomised(model, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_((torch.randn(parameter.shape, generator=generator) * (0.3 if "lora_" in name else 0.4)).float())
    return model.eval()


def trainables(model):
    return [(n, p) for n, p in model.named_parameters() if p.requires_grad]


def one_pass(model, inputs):
    model.zero_grad()
    output = model(**inputs)
    output.loss.backward()
    result = {"loss": output.loss, "logits": output.logits}
    if output.logits.dim() == 3 and "decoder" not in str(type(model)) and output.logits.shape[1] == inputs["input_ids"].shape[1]:
        result["logits"] = output.logits * inputs["attention_mask"].unsqueeze(-1)
    if inputs["labels"].dim() == 2 and output.logits.shape[1] == inputs["labels"].shape[1] and inputs["labels"].shape != inputs["input_ids"].shape:
        result["logits"] = output.logits * (inputs["labels"] != -100).unsqueeze(-1)
    for name, parameter in trainables(model):
        result["grad." + name_of(name)] = parameter.grad
    return result


def training(model, inputs):
    optimizer = torch.optim.AdamW([p for _, p in trainables(model)], lr=0.02, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.1)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for _, p in trainables(model)], 1.0)
        optimizer.step()
        losses.append(loss.detach())
    return {"losses": torch.stack(losses), **{"final." + name_of(n): p for n, p in trainables(model)}}


def difference(a, b):
    norm = b.double().norm()
    error = (a.double() - b.double()).norm()
    return float(error / norm if norm >= 1e-6 else error)


def write(arch, name, make, inputs_of, options, args):
    generator = torch.Generator().manual_seed(sum(map(ord, arch + name)))
    folder = HERE / arch / "model"
    kind = {"num_labels": 3} if options["task_type"] == "SEQ_CLS" else {}
    base = make.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **kind)
    model = randomised(peft.get_peft_model(base, peft.LoraConfig(**options)), generator)
    inputs = inputs_of(base.config, generator)
    compute = training if args is TRAINING else one_pass
    case = HERE / arch / "cases" / name
    shutil.rmtree(case, ignore_errors=True)
    case.mkdir(parents=True)
    model.save_pretrained(case / "adapter")
    (case / "adapter" / "README.md").unlink(missing_ok=True)
    config = json.loads((case / "adapter" / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "model"
    (case / "adapter" / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    single = compute(copy.deepcopy(model).float(), inputs)
    exact = {n: t.detach().contiguous() for n, t in compute(copy.deepcopy(model).double(), inputs).items()}
    tolerances = {n: min(max(10 * difference(single[n].detach(), t), 1e-5), 1e-3) for n, t in exact.items()}
    # one float32 run is one sample of each error, and some gradients cancel: all of a case get twice the largest
    shared = min(2 * max((t for n, t in tolerances.items() if n.startswith("grad.")), default=0), 1e-3)
    expect = {n: {"tol": float(f"{shared if n.startswith('grad.') else t:.2g}")} for n, t in tolerances.items()}
    save_file({n: t.contiguous() for n, t in inputs.items()}, case / "in.safetensors")
    save_file({n: t.float() for n, t in exact.items()}, case / "out.safetensors")
    arguments = ["--model", "../../model", "--adapter", "adapter", *args, "--in", "in.safetensors"]
    (case / "case.json").write_text(json.dumps({"arch": arch, "args": arguments, "expect": expect, "note": ""}, indent=1) + "\n")
    print(arch, name, len(load_file(case / "adapter" / "adapter_model.safetensors")), "tensors")


def main():
    for arch in sys.argv[1:] or [arch for arch in CASES if (HERE / arch / "model").exists()]:
        for name, make, inputs, options, args in CASES[arch]:
            write(arch, name, make, inputs, options, args)


if __name__ == "__main__":
    main()
