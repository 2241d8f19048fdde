#!/usr/bin/env python3
"""Writes xlm-roberta, distilbert, electra, mt5 and umt5: tiny models with random weights, and what transformers (5.24.0) and PEFT (0.21.2,
torch 2.13.0, CPU) compute with them in float64. encoders.md and t5.md describe the layout.

    python3 make_encoders.py

PEFT computes the prompts. Its prefixes no longer run on these versions of transformers (and never did on DistilBERT), so keys and values of a
prefix are put in front by the attention function that this script gives to the models; layout and positions are PEFT's.
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
SMALL = dict(vocab_size=37, max_position_embeddings=24)
BERT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, **SMALL)
T5 = dict(vocab_size=37, d_model=12, d_kv=4, d_ff=14, num_layers=2, num_decoder_layers=3, num_heads=2, relative_attention_num_buckets=8,
          relative_attention_max_distance=12, dropout_rate=0.0, tie_word_embeddings=False)
PROMPT_ROWS = 3


class Prefixes:
    """Keys and values [P, H, d] in front of those that the attention module `(site, layer)` makes."""

    def __init__(self):
        self.rows = {}
        self.installed = False

    def install(self, model):
        """Replaces the attention function of the model's module, once."""
        if self.installed:
            return
        self.installed = True
        source = sys.modules[type(model).__module__]
        plain = source.eager_attention_forward

        def attention(module, query, key, value, mask, **options):
            rows = self.rows.get(getattr(module, "prefix_place", None))
            if rows is not None:
                batch, more = query.shape[0], [r.transpose(0, 1).unsqueeze(0).expand(query.shape[0], -1, -1, -1) for r in rows]
                key, value = torch.cat([more[0], key], 2), torch.cat([more[1], value], 2)
                # zeros: visible, and without a relative bias
                if mask is not None:
                    mask = torch.nn.functional.pad(mask.expand(batch, -1, -1, -1), (more[0].shape[2], 0))
                if options.get("position_bias") is not None:
                    options["position_bias"] = torch.nn.functional.pad(options["position_bias"], (more[0].shape[2], 0))
            return plain(module, query, key, value, mask, **options)

        source.eager_attention_forward = attention


def place_attention(model):
    base = model.base_model
    if hasattr(base, "decoder"):
        for i, block in enumerate(base.encoder.block):
            block.layer[0].SelfAttention.prefix_place = ("encoder_self", i)
        for i, block in enumerate(base.decoder.block):
            block.layer[0].SelfAttention.prefix_place = ("decoder_self", i)
            block.layer[1].EncDecAttention.prefix_place = ("cross", i)
        return
    stack = base.transformer.layer if hasattr(base, "transformer") else base.encoder.layer
    for i, layer in enumerate(stack):
        attention = layer.attention
        getattr(attention, "self", attention).prefix_place = ("encoder_self", i)


def randomised(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "norm" in name.lower() and name.endswith("weight")
            parameter.normal_(1.0 if norm else 0.0, 0.4, generator=generator)
    return model.eval()


def masked(lengths):
    longest = max(lengths)
    return torch.tensor([[1] * n + [0] * (longest - n) for n in lengths])


def ids(shape, config, generator, first=3):
    return torch.randint(first, config.vocab_size, shape, generator=generator)


def difference(a, b):
    norm = b.double().norm()
    error = (a.double() - b.double()).norm()
    return float(error / norm if norm >= 1e-6 else error)


def write_case(arch, name, args, inputs, compute, adapter=None, note=""):
    """`compute(dtype)` gives the expected tensors. The tolerance is ten times the error of float32."""
    case = HERE / arch / "cases" / name
    case.mkdir(parents=True, exist_ok=True)
    exact, single = compute(torch.float64), compute(torch.float32)
    outputs = {n: t.detach().contiguous() for n, t in exact.items()}
    expect = {}
    for n, t in outputs.items():
        error = difference(single[n].detach(), t) if t.is_floating_point() else 0.0
        expect[n] = {"tol": float(f"{min(max(10 * error, 1e-5), 1e-3):.2g}")}
    save_file({n: t.contiguous() for n, t in inputs.items()}, case / "in.safetensors")
    save_file({n: t.float() if t.is_floating_point() else t for n, t in outputs.items()}, case / "out.safetensors")
    arguments = ["--model", f"../../{args[0]}"] + (["--adapter", "adapter"] if adapter else []) + args[1:] + ["--in", "in.safetensors"]
    text = {"arch": arch, "args": arguments, "expect": expect, "note": note}
    (case / "case.json").write_text(json.dumps(text, indent=1) + "\n")
    return case


def saved(model, folder):
    model.save_pretrained(folder)
    return set(load_file(folder / "model.safetensors"))


def of_type(model, dtype):
    copied = copy.deepcopy(model).to(dtype)
    place_attention(copied)
    return copied


def rows_alone(logits, mask):
    return logits * mask[..., None].to(logits.dtype)


class Encoder:
    def __init__(self, arch, config, classes, seed):
        self.arch, self.config, self.classes, self.seed = arch, config, classes, seed
        shutil.rmtree(HERE / arch, ignore_errors=True)
        self.generator = torch.Generator().manual_seed(seed)
        self.mask = masked(LENGTHS)
        self.inputs = {"input_ids": ids(self.mask.shape, config, self.generator), "attention_mask": self.mask}
        if getattr(config, "type_vocab_size", 0) > 1:
            self.inputs["token_type_ids"] = torch.randint(0, config.type_vocab_size, self.mask.shape, generator=self.generator)
        self.prefixes = Prefixes()

    def model(self, head, **options):
        config = copy.deepcopy(self.config)
        for key, value in options.items():
            setattr(config, key, value)
        config._attn_implementation = "eager"
        return randomised(self.classes[head](config), self.seed + len(head))

    def labels(self, task, classes):
        if task == "SEQ_CLS":
            return {"labels": torch.randint(0, classes, (len(LENGTHS),), generator=self.generator)}
        if task == "QUESTION_ANS":
            ends = [sorted(torch.randint(0, n, (2,), generator=self.generator).tolist()) for n in LENGTHS]
            return {"start_positions": torch.tensor([e[0] for e in ends]), "end_positions": torch.tensor([e[1] for e in ends])}
        labels = torch.randint(0, classes, self.mask.shape, generator=self.generator)
        hidden = (self.mask == 0) | (torch.rand(self.mask.shape, generator=self.generator) < 0.4)
        return {"labels": labels.masked_fill(hidden, -100)}

    def outputs(self, result, task):
        if task == "FEATURE_EXTRACTION":
            return {"last_hidden_state": rows_alone(result.last_hidden_state, self.mask)}
        logits = result.logits if task == "SEQ_CLS" else rows_alone(result.logits, self.mask)
        return {"logits": logits, "loss": result.loss}

    def features(self):
        base = self.model("mlm")
        names = saved(base, HERE / self.arch / "model")
        assert any(name.startswith(base.base_model_prefix + ".") for name in names)

        def compute(dtype):
            result = of_type(base, dtype).base_model(**self.inputs)
            return self.outputs(result, "FEATURE_EXTRACTION")

        write_case(self.arch, "features", ["model", "--task", "FEATURE_EXTRACTION"], self.inputs, compute)

    def full(self, name, head, task, classes, folder, **options):
        base = self.model(head, **options)
        names = saved(base, HERE / self.arch / folder)
        inputs = {**self.inputs, **self.labels(task, classes)}

        def compute(dtype):
            model = of_type(base, dtype)
            result = model(**inputs)
            result.loss.backward()
            grads = {f"grad.{n}": p.grad for n, p in model.named_parameters() if n in names and p.grad is not None}
            return {**self.outputs(result, task), **grads}

        write_case(self.arch, name, [folder, "--task", task, "--method", "full", "--grad"], inputs, compute)

    def spans(self, folder):
        """Spans compete inside their own sequence: one sequence a batch, and the mean of their losses."""
        base = self.model("qa", num_labels=2)
        saved(base, HERE / self.arch / folder)
        inputs = {**self.inputs, **self.labels("QUESTION_ANS", 2)}

        def compute(dtype):
            model, longest, results, starts, ends = of_type(base, dtype), max(LENGTHS), [], [], []
            for i, n in enumerate(LENGTHS):
                one = {k: v[i : i + 1, :n] if v.dim() == 2 else v[i : i + 1] for k, v in inputs.items()}
                result = model(**one)
                results.append(result.loss)
                starts.append(torch.nn.functional.pad(result.start_logits[0], (0, longest - n)))
                ends.append(torch.nn.functional.pad(result.end_logits[0], (0, longest - n)))
            return {"loss": torch.stack(results).mean(), "start_logits": torch.stack(starts), "end_logits": torch.stack(ends)}

        write_case(self.arch, "forward-qa", [folder, "--task", "QUESTION_ANS"], inputs, compute)

    def prompt(self, name, head, task, classes, folder, modules=None, **options):
        """As PEFT: the head of a sequence reads the first virtual row."""
        base = self.model(head, num_labels=classes, **options)
        width = base.get_input_embeddings().weight.shape[1]
        config = peft.PromptTuningConfig(task_type=task, num_virtual_tokens=PROMPT_ROWS, token_dim=width, modules_to_save=modules,
                                         num_layers=self.config.num_hidden_layers, num_attention_heads=self.config.num_attention_heads)
        inputs = {**self.inputs, **self.labels(task, classes)}
        tuned = peft.get_peft_model(base, config).eval()
        with torch.no_grad():
            tuned.prompt_encoder["default"].embedding.weight.normal_(0, 0.5, generator=self.generator)

        def compute(dtype):
            model = copy.deepcopy(tuned).to(dtype)
            result = model(**inputs)
            result.loss.backward()
            outputs = self.outputs(result, task)
            outputs["grad.prompt_embeddings"] = model.prompt_encoder["default"].embedding.weight.grad
            for parameter, value in model.base_model.named_parameters():
                if ".modules_to_save." in parameter:
                    outputs["grad.base_model." + parameter.replace(".modules_to_save.default", "")] = value.grad
            return outputs

        case = write_case(self.arch, name, [folder, "--grad"], inputs, compute, adapter=True, note="as PEFT: the head reads the first virtual row")
        tuned.save_pretrained(case / "adapter")
        tidy(case / "adapter", folder)

    def token_prompt(self, name, head, classes, folder):
        """Token heads drop the virtual rows (PEFT cannot compute their loss)."""
        base = self.model(head, num_labels=classes)
        # classes list their parameters in different orders, so that equal seeds do not give equal bodies
        body = load_file(HERE / self.arch / folder / "model.safetensors")
        own = {n for n, _ in base.named_parameters() if n.startswith(base.base_model_prefix + ".")}
        assert own <= set(body)
        base.load_state_dict({n: body[n] for n in own}, strict=False)
        table = base.get_input_embeddings()
        inputs = {**self.inputs, **self.labels("TOKEN_CLS", classes)}
        rows = torch.randn(PROMPT_ROWS, table.weight.shape[1], generator=self.generator) * 0.5
        heads = {n: p.detach().clone() for n, p in base.named_parameters() if n.startswith("classifier.")}

        def compute(dtype):
            model, prompt = of_type(base, dtype), rows.to(dtype).requires_grad_()
            model.requires_grad_(False)
            model.classifier.requires_grad_(True)
            batch = self.mask.shape[0]
            words = model.get_input_embeddings()(inputs["input_ids"])
            given = {"inputs_embeds": torch.cat([prompt.expand(batch, -1, -1), words], 1),
                     "attention_mask": torch.nn.functional.pad(self.mask, (PROMPT_ROWS, 0), value=1),
                     "labels": torch.nn.functional.pad(inputs["labels"], (PROMPT_ROWS, 0), value=-100)}
            if "token_type_ids" in inputs:
                given["token_type_ids"] = torch.nn.functional.pad(inputs["token_type_ids"], (PROMPT_ROWS, 0))
            result = model(**given)
            result.loss.backward()
            outputs = {"logits": rows_alone(result.logits[:, PROMPT_ROWS:], self.mask), "loss": result.loss, "grad.prompt_embeddings": prompt.grad}
            outputs.update({f"grad.base_model.{n}": p.grad for n, p in model.named_parameters() if n in heads})
            return outputs

        case = write_case(self.arch, name, [folder, "--grad"], inputs, compute, adapter=True, note="the head reads real tokens only")
        tensors = {"prompt_embeddings": rows, **{f"base_model.{n}": p for n, p in heads.items()}}
        config = dict(peft_type="PROMPT_TUNING", task_type="TOKEN_CLS", num_virtual_tokens=PROMPT_ROWS, token_dim=rows.shape[1],
                      modules_to_save=["classifier", "score"], preamble_pooling="token")
        write_adapter(case / "adapter", config, tensors)

    def prefix(self, name, head, task, classes, folder, native=False):
        base = self.model(head, num_labels=classes) if classes else self.model(head)
        layers, heads = self.config.num_hidden_layers, self.config.num_attention_heads
        size = self.config.hidden_size // heads
        inputs = {**self.inputs, **self.labels(task, classes or self.config.vocab_size)}
        table = torch.randn(PROMPT_ROWS, layers * 2 * heads * size, generator=self.generator) * 0.5
        own = {} if task == "MASKED_LM" else {n: p.detach().clone() for n, p in base.named_parameters() if n.startswith("classifier.")}

        def compute(dtype):
            self.prefixes.install(base)
            model, rows = of_type(base, dtype), table.to(dtype).requires_grad_()
            packed = rows.view(PROMPT_ROWS, layers, 2, heads, size)
            split = {(f"encoder_self", i): (packed[:, i, 0], packed[:, i, 1]) for i in range(layers)}
            for pair in split.values():
                for part in pair:
                    part.retain_grad()
            self.prefixes.rows = split
            given = dict(inputs)
            if not native:  # PEFT: the first token stands behind the prefix
                first = self.config.pad_token_id + 1 if "roberta" in self.arch else 0
                given["position_ids"] = torch.arange(self.mask.shape[1]).expand(self.mask.shape) + first + PROMPT_ROWS
            result = model(**given)
            result.loss.backward()
            self.prefixes.rows = {}
            outputs = self.outputs(result, task)
            if native:
                for part, what in ((0, "key"), (1, "value")):
                    stacked = torch.stack([split[("encoder_self", i)][part].grad for i in range(layers)])
                    outputs[f"grad.encoder_self.{what}"] = stacked.transpose(1, 2)
            else:
                outputs["grad.prompt_embeddings"] = rows.grad
            outputs.update({f"grad.base_model.{n}": p.grad for n, p in model.named_parameters() if n in own})
            return outputs

        args = [folder] + (["--task", task] if native else []) + ["--grad"]
        case = write_case(self.arch, name, args, inputs, compute, adapter=True)
        heads_saved = {f"base_model.{n}": p for n, p in own.items()}
        if native:
            packed = table.view(PROMPT_ROWS, layers, 2, heads, size).permute(2, 1, 3, 0, 4).contiguous()
            (case / "adapter").mkdir(exist_ok=True)
            save_file({"encoder_self.key": packed[0].contiguous(), "encoder_self.value": packed[1].contiguous(), **heads_saved},
                      case / "adapter" / "prefix.safetensors")
            description = dict(format=1, method="prefix", sites=["encoder_self"], positions="unshifted")
            (case / "adapter" / "preamble.json").write_text(json.dumps(description, indent=1) + "\n")
            return
        config = dict(peft_type="PREFIX_TUNING", task_type=task, num_virtual_tokens=PROMPT_ROWS, token_dim=heads * size, num_layers=layers,
                      num_attention_heads=heads, encoder_hidden_size=heads * size, prefix_projection=False, modules_to_save=["classifier", "score"])
        write_adapter(case / "adapter", config, {"prompt_embeddings": table, **heads_saved})


def write_adapter(folder, config, tensors):
    folder.mkdir(exist_ok=True)
    save_file({n: t.contiguous() for n, t in tensors.items()}, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    text = dict(base_model_name_or_path="model", inference_mode=True, num_transformer_submodules=1, **config)
    (folder / "adapter_config.json").write_text(json.dumps(text, indent=2, sort_keys=True) + "\n")


def tidy(adapter, model):
    """What PEFT wrote, without the card and the paths of this machine."""
    (adapter / "README.md").unlink(missing_ok=True)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = model
    (adapter / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


class EncoderDecoder:
    def __init__(self, arch, config, model_class, seed):
        self.arch, self.config, self.seed = arch, config, seed
        shutil.rmtree(HERE / arch, ignore_errors=True)
        generator = torch.Generator().manual_seed(seed)
        config._attn_implementation = "eager"
        self.base = randomised(model_class(config), seed)
        self.names = saved(self.base, HERE / arch / "model")
        self.mask, targets = masked(LENGTHS), masked([5, 7, 2])
        self.labels = ids(targets.shape, config, generator).masked_fill(targets == 0, -100)
        self.sources = {"input_ids": ids(self.mask.shape, config, generator), "attention_mask": self.mask}
        self.inputs = {**self.sources, "labels": self.labels}
        self.rows = targets
        self.generator = generator

    def outputs(self, result):
        return {"logits": rows_alone(result.logits, self.rows), "loss": result.loss}

    def full(self):
        def compute(dtype):
            model = of_type(self.base, dtype)
            result = model(**self.inputs)
            result.loss.backward()
            grads = {f"grad.{n}": p.grad for n, p in model.named_parameters() if n in self.names and p.grad is not None}
            return {**self.outputs(result), **grads}

        write_case(self.arch, "full-grad", ["model", "--method", "full", "--grad"], self.inputs, compute)

    def prompt(self):
        config = peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=PROMPT_ROWS, num_transformer_submodules=1)
        tuned = peft.get_peft_model(copy.deepcopy(self.base), config).eval()
        with torch.no_grad():
            tuned.prompt_encoder["default"].embedding.weight.normal_(0, 0.5, generator=self.generator)

        def compute(dtype):
            model = copy.deepcopy(tuned).to(dtype)
            result = model(**self.inputs)
            result.loss.backward()
            return {**self.outputs(result), "grad.prompt_embeddings": model.prompt_encoder["default"].embedding.weight.grad}

        case = write_case(self.arch, "prompt-s1-grad", ["model", "--grad"], self.inputs, compute, adapter=True)
        tuned.save_pretrained(case / "adapter")
        tidy(case / "adapter", "model")

    def prefix(self):
        """Three sites: always visible, no relative bias on prefix keys, relative positions of the tokens unchanged."""
        heads, size = self.config.num_heads, self.config.d_kv
        depths = {"encoder_self": self.config.num_layers, "decoder_self": self.config.num_decoder_layers, "cross": self.config.num_decoder_layers}
        tables = {f"{site}.{what}": torch.randn(depth, heads, PROMPT_ROWS, size, generator=self.generator) * 0.5
                  for site, depth in depths.items() for what in ("key", "value")}
        prefixes = Prefixes()
        prefixes.install(self.base)

        def compute(dtype):
            model = of_type(self.base, dtype)
            rows = {n: t.to(dtype).requires_grad_() for n, t in tables.items()}
            prefixes.rows = {(site, i): tuple(rows[f"{site}.{what}"][i].transpose(0, 1) for what in ("key", "value"))
                             for site, depth in depths.items() for i in range(depth)}
            result = model(**self.inputs)
            result.loss.backward()
            prefixes.rows = {}
            return {**self.outputs(result), **{f"grad.{n}": t.grad for n, t in rows.items()}}

        case = write_case(self.arch, "prefix3-grad", ["model", "--grad"], self.inputs, compute, adapter=True, note=self.prefix.__doc__)
        (case / "adapter").mkdir(exist_ok=True)
        save_file(tables, case / "adapter" / "prefix.safetensors")
        description = dict(format=1, method="prefix", sites=list(depths), positions="unshifted")
        (case / "adapter" / "preamble.json").write_text(json.dumps(description, indent=1) + "\n")

    def generate(self):
        def compute(dtype):
            sequences = of_type(self.base, dtype).generate(**self.sources, max_new_tokens=8, do_sample=False, use_cache=False)
            return {"sequences": sequences}

        write_case(self.arch, "generate-greedy", ["model", "--generate", "--max-new-tokens", "8"], self.sources, compute)


def main():
    torch.set_num_threads(1)
    t = transformers

    roberta = Encoder("xlm-roberta", t.XLMRobertaConfig(**BERT, type_vocab_size=1, layer_norm_eps=1e-5), {
        "mlm": t.XLMRobertaForMaskedLM, "cls": t.XLMRobertaForSequenceClassification, "tok": t.XLMRobertaForTokenClassification,
        "qa": t.XLMRobertaForQuestionAnswering}, 11)
    roberta.features()
    roberta.full("full-mlm-grad", "mlm", "MASKED_LM", SMALL["vocab_size"], "model")
    roberta.full("full-cls-grad", "cls", "SEQ_CLS", 3, "model-seqcls", num_labels=3)
    roberta.prompt("prompt-cls-peft-grad", "cls", "SEQ_CLS", 3, "model-seqcls")
    roberta.token_prompt("prompt-tok-grad", "tok", 4, "model")
    roberta.prefix("prefix-cls-grad", "cls", "SEQ_CLS", 3, "model-seqcls")
    roberta.prefix("prefix-mlm-grad", "mlm", "MASKED_LM", None, "model", native=True)

    distil_options = dict(dim=16, n_layers=2, n_heads=2, hidden_dim=20, dropout=0.0, attention_dropout=0.0, qa_dropout=0.0,
                          seq_classif_dropout=0.0, **SMALL)
    distil = Encoder("distilbert", t.DistilBertConfig(**distil_options), {
        "mlm": t.DistilBertForMaskedLM, "cls": t.DistilBertForSequenceClassification, "tok": t.DistilBertForTokenClassification,
        "qa": t.DistilBertForQuestionAnswering}, 12)
    distil.features()
    distil.full("full-mlm-grad", "mlm", "MASKED_LM", SMALL["vocab_size"], "model")
    distil.full("full-cls-grad", "cls", "SEQ_CLS", 3, "model-seqcls", num_labels=3)
    distil.spans("model-qa")
    distil.prompt("prompt-cls-peft-grad", "cls", "SEQ_CLS", 3, "model-seqcls", modules=["pre_classifier"])
    distil.token_prompt("prompt-tok-grad", "tok", 4, "model")
    distil.prefix("prefix-cls-grad", "cls", "SEQ_CLS", 3, "model-seqcls", native=True)
    distil.prefix("prefix-mlm-grad", "mlm", "MASKED_LM", None, "model", native=True)

    electra = Encoder("electra", t.ElectraConfig(**BERT, embedding_size=10, type_vocab_size=2, summary_last_dropout=0.0), {
        "mlm": t.ElectraForMaskedLM, "cls": t.ElectraForSequenceClassification, "tok": t.ElectraForTokenClassification,
        "qa": t.ElectraForQuestionAnswering}, 13)
    electra.features()
    electra.full("full-mlm-grad", "mlm", "MASKED_LM", SMALL["vocab_size"], "model")
    electra.full("full-cls-grad", "cls", "SEQ_CLS", 3, "model-seqcls", num_labels=3)
    electra.spans("model-qa")
    electra.prompt("prompt-cls-peft-grad", "cls", "SEQ_CLS", 3, "model-seqcls")
    electra.token_prompt("prompt-tok-grad", "tok", 4, "model")
    electra.prefix("prefix-cls-grad", "cls", "SEQ_CLS", 3, "model-seqcls")
    electra.prefix("prefix-mlm-grad", "mlm", "MASKED_LM", None, "model", native=True)

    for arch, config, model_class, seed in (("mt5", t.MT5Config, t.MT5ForConditionalGeneration, 14),
                                            ("umt5", t.UMT5Config, t.UMT5ForConditionalGeneration, 15)):
        model = EncoderDecoder(arch, config(**T5), model_class, seed)
        model.full()
        model.prompt()
        model.prefix()
        model.generate()


if __name__ == "__main__":
    main()
