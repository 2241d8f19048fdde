#!/usr/bin/env python3
"""Writes decoder_heads: heads on the models of llama and gpt2, and what transformers and PEFT compute with them in float64. llama.md describes it.

    python3 make_decoder_heads.py

Each sequence runs alone, without padding: PEFT's head of a sequence reads the last position of a batch where it has a prompt.
"""

import copy
import json
import pathlib

import peft
import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
OUT = HERE / "decoder_heads"
LENGTHS = [9, 4, 6]
ROWS = 3
CLASSES = 3


def case(name, base, config, model, task, generator):
    torch.manual_seed(len(name))
    tuned = peft.get_peft_model(base, config).eval()
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.4, generator=generator)
    longest = max(LENGTHS)
    mask = torch.tensor([[1] * n + [0] * (longest - n) for n in LENGTHS])
    ids = torch.randint(3, base.config.vocab_size - 3, mask.shape, generator=generator)
    shape = (len(LENGTHS),) if task == "SEQ_CLS" else mask.shape
    labels = torch.randint(0, CLASSES, shape, generator=generator)
    if task != "SEQ_CLS":
        labels = labels.masked_fill((mask == 0) | (torch.rand(mask.shape, generator=generator) < 0.3), -100)

    def compute(dtype):
        one = copy.deepcopy(tuned).to(dtype)
        loss, logits, count = 0, [], int((labels != -100).sum())
        for i, n in enumerate(LENGTHS):
            own = labels[i : i + 1, :n] if task != "SEQ_CLS" else labels[i : i + 1]
            # the loss by hand: labels that PEFT does not extend for a prompt
            if config.peft_type == peft.PeftType.PREFIX_TUNING:
                # PEFT 0.21 refuses these classes of transformers 5.17: what it does with others, by hand
                given = {"past_key_values": one.get_prompt(batch_size=1), "attention_mask": torch.ones(1, ROWS + n, dtype=torch.long)}
                result = one.base_model(input_ids=ids[i : i + 1, :n], **given).logits
            else:
                result = one(input_ids=ids[i : i + 1, :n], attention_mask=torch.ones(1, n, dtype=torch.long)).logits
            result = result[:, -n:] if task != "SEQ_CLS" else result
            loss = loss + torch.nn.functional.cross_entropy(result.flatten(0, -2), own.flatten(), ignore_index=-100, reduction="sum")
            logits.append(result[0] if task == "SEQ_CLS" else torch.nn.functional.pad(result[0], (0, 0, 0, longest - n)))
        loss = loss / count
        loss.backward()
        outputs = {"logits": torch.stack(logits), "loss": loss, "grad.prompt_embeddings": one.prompt_encoder["default"].embedding.weight.grad}
        for parameter, value in one.base_model.named_parameters():
            if ".modules_to_save." in parameter:
                outputs["grad.base_model." + parameter.replace(".modules_to_save.default", "")] = value.grad
        return {k: v.detach() for k, v in outputs.items()}

    exact, single = compute(torch.float64), compute(torch.float32)
    expect = {}
    for key, value in exact.items():
        error = (single[key].double() - value).norm() / value.norm()
        expect[key] = {"tol": float(min(max(10 * error, 1e-5), 1e-3))}
    folder = OUT / "cases" / name
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"input_ids": ids, "attention_mask": mask, "labels": labels}, folder / "in.safetensors")
    save_file({k: v.contiguous() for k, v in exact.items()}, folder / "out.safetensors")
    tuned.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    config_file = folder / "adapter" / "adapter_config.json"
    text = json.loads(config_file.read_text())
    text["base_model_name_or_path"] = model
    config_file.write_text(json.dumps(text, indent=2, sort_keys=True) + "\n")
    args = ["--model", f"../../../{model}", "--adapter", "adapter", "--grad", "--in", "in.safetensors"]
    (folder / "case.json").write_text(json.dumps({"args": args, "expect": expect}, indent=1) + "\n")
    print(name, {k: v["tol"] for k, v in expect.items()})


def main():
    generator = torch.Generator().manual_seed(5)
    sequence, token = transformers.AutoModelForSequenceClassification, transformers.AutoModelForTokenClassification
    for family in ("llama", "gpt2"):
        model = f"{family}/model"
        for task, loader in (("SEQ_CLS", sequence), ("TOKEN_CLS", token)):
            for kind, make in (("prefix", peft.PrefixTuningConfig), ("prompt", peft.PromptTuningConfig)):
                if family == "gpt2" and kind == "prompt":
                    continue
                base = loader.from_pretrained(HERE / model, num_labels=CLASSES)
                short = "seqcls" if task == "SEQ_CLS" else "tokcls"
                case(f"{family}-{short}-{kind}", base, make(task_type=task, num_virtual_tokens=ROWS), model, task, generator)


if __name__ == "__main__":
    main()
