"""Writes GGUF files of decoder-only models with the public `gguf` package, by the rules of llama.cpp's converter.

`write(folder, out, type)`: Llama, Mistral, SmolLM2, Qwen2, Qwen3, Gemma, GPT-NeoX and GPT-2. Vectors stay F32. Rows that a block type does not divide
are F16. Blocks of Q4_K and Q6_K, which the package reads but does not make, are made here the plain way. Returns the numbers that the file's tensors
stand for, under the checkpoint's names.
"""

import json
from pathlib import Path

import gguf
import numpy
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter, quants

ARCHITECTURES = {
    "llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "gemma": "gemma", "gpt_neox": "gptneox", "gpt2": "gpt2",
}


def load(folder):
    """All tensors of a checkpoint as float32."""
    import torch
    from safetensors.torch import load_file

    tensors = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        tensors.update({name: value.to(torch.float32).numpy() for name, value in load_file(file).items()})
    return tensors


def rope_of(config):
    return config.get("rope_parameters") or dict(config.get("rope_scaling") or {}, rope_theta=config.get("rope_theta", 10000.0))


def llama3_factors(config, columns):
    rope = rope_of(config)
    frequencies = 1.0 / (rope["rope_theta"] ** (numpy.arange(0, columns, 2, dtype=numpy.float32) / columns))
    low = rope["original_max_position_embeddings"] / rope.get("low_freq_factor", 1.0)
    high = rope["original_max_position_embeddings"] / rope.get("high_freq_factor", 4.0)
    factors = []
    for frequency in frequencies:
        wave = 2 * numpy.pi / frequency
        if wave < high:
            factors.append(1.0)
        elif wave > low:
            factors.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / wave - rope.get("low_freq_factor", 1.0)) / (
                rope.get("high_freq_factor", 4.0) - rope.get("low_freq_factor", 1.0)
            )
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return numpy.array(factors, dtype=numpy.float32)


def permuted(values, heads):
    """Halves of a head's rows become neighbours."""
    return values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def joined(values, heads):
    """Rows of queries, keys and values of each head become all queries, all keys, all values."""
    return values.reshape(heads, 3, values.shape[0] // heads // 3, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)


def undone(kind, values, heads):
    if kind == "permuted":
        return values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    return values.reshape(3, heads, values.shape[0] // heads // 3, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)


def describe(writer, config):
    """Metadata of the model. Returns further tensors."""
    kind = config["model_type"]
    more = {}
    if kind == "gpt2":
        writer.add_context_length(config["n_positions"])
        writer.add_embedding_length(config["n_embd"])
        writer.add_block_count(config["n_layer"])
        writer.add_feed_forward_length(config.get("n_inner") or 4 * config["n_embd"])
        writer.add_head_count(config["n_head"])
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        return more
    heads, width = config["num_attention_heads"], config["hidden_size"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    rope = rope_of(config)
    if kind == "gpt_neox":
        part = rope.get("partial_rotary_factor", config.get("rotary_pct", 0.25))
        writer.add_rope_dimension_count(int(part * (width // heads)))
        writer.add_parallel_residual(config.get("use_parallel_residual", True))
        writer.add_layer_norm_eps(config["layer_norm_eps"])
        return more
    columns = config.get("head_dim") or width // heads
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope["rope_theta"])
    if config.get("head_dim") or kind == "gemma":
        writer.add_key_length(columns)
        writer.add_value_length(columns)
    if kind in ("llama", "mistral"):
        writer.add_vocab_size(config["vocab_size"])
        writer.add_rope_dimension_count(columns)
    if kind == "mistral" and config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    scaling = rope.get("rope_type", rope.get("type", "default"))
    if scaling == "llama3":
        more["rope_freqs.weight"] = llama3_factors(config, columns)
    elif scaling == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    elif scaling == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(rope["factor"])
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    elif scaling != "default":
        raise SystemExit(f"rotary positions of type {scaling}: not written here")
    return more


def q4_k(rows):
    """Blocks of 256: eight scales and minima of six bits, numbers of four bits."""
    groups = rows.reshape(-1, 8, 32).astype(numpy.float32)
    low = numpy.minimum(groups.min(axis=2), 0)
    scale = (groups.max(axis=2) - low) / 15
    d, m = scale.max(axis=1) / 63, (-low).max(axis=1) / 63
    d, m = d.astype(numpy.float16), m.astype(numpy.float16)

    def quantised(values, unit):
        unit = unit.astype(numpy.float32)[:, None]
        return numpy.where(unit > 0, numpy.clip(numpy.round(values / numpy.where(unit > 0, unit, 1)), 0, 63), 0).astype(numpy.uint8)

    scales, minima = quantised(scale, d), quantised(-low, m)
    step = d.astype(numpy.float32)[:, None] * scales
    offset = m.astype(numpy.float32)[:, None] * minima
    numbers = numpy.clip(numpy.round((groups + offset[..., None]) / numpy.where(step > 0, step, 1)[..., None]), 0, 15).astype(numpy.uint8)
    packed = numpy.zeros((len(groups), 12), dtype=numpy.uint8)
    packed[:, 0:4] = scales[:, 0:4] | (scales[:, 4:8] >> 4) << 6
    packed[:, 4:8] = minima[:, 0:4] | (minima[:, 4:8] >> 4) << 6
    packed[:, 8:12] = (scales[:, 4:8] & 15) | (minima[:, 4:8] & 15) << 4
    pairs = numbers.reshape(-1, 4, 2, 32)
    halves = (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(-1, 128)
    return numpy.concatenate([d[:, None].view(numpy.uint8), m[:, None].view(numpy.uint8), packed, halves], axis=1)


def q6_k(rows):
    """Blocks of 256: sixteen scales of eight bits, numbers of six bits."""
    groups = rows.reshape(-1, 16, 16).astype(numpy.float32)
    scale = numpy.abs(groups).max(axis=2) / 31
    d = (scale.max(axis=1) / 127).astype(numpy.float16)
    unit = d.astype(numpy.float32)[:, None]
    scales = numpy.clip(numpy.round(scale / numpy.where(unit > 0, unit, 1)), -128, 127).astype(numpy.int8)
    step = unit * scales
    numbers = numpy.clip(numpy.round(groups / numpy.where(step != 0, step, 1)[..., None]), -32, 31).astype(numpy.int8) + 32
    numbers = numbers.astype(numpy.uint8).reshape(-1, 2, 4, 32)
    low = numbers & 15
    lower = numpy.concatenate([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], axis=2).reshape(-1, 128)
    high = numbers >> 4
    upper = (high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6).reshape(-1, 64)
    return numpy.concatenate([lower, upper, scales.view(numpy.uint8), d[:, None].view(numpy.uint8)], axis=1)


def stored(values, kind):
    """The tensor as the file holds it, its type, and the numbers it stands for."""
    values = numpy.ascontiguousarray(values, dtype=numpy.float32)
    if values.ndim == 1 or kind == Type.F32:
        return values, None, values
    if kind not in (Type.F16, Type.BF16) and values.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = Type.F16
    if kind == Type.F16:
        half = values.astype(numpy.float16)
        return half, None, half.astype(numpy.float32)
    if kind in (Type.Q4_K, Type.Q6_K):
        rows = (q4_k if kind == Type.Q4_K else q6_k)(values).reshape(values.shape[0], -1)
    else:
        rows = quants.quantize(values, kind)
    return rows, kind, quants.dequantize(rows, kind).astype(numpy.float32).reshape(values.shape)


def write(folder, out, kind, tokenizer=None):
    """`tokenizer(writer)` adds its metadata."""
    config = json.loads((Path(folder) / "config.json").read_text())
    model_type = config["model_type"]
    architecture = ARCHITECTURES[model_type]
    writer = GGUFWriter(out, architecture)
    more = describe(writer, config)
    if tokenizer:
        tokenizer(writer)
    layers = config.get("num_hidden_layers") or config["n_layer"]
    arch = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    names = gguf.get_tensor_name_map(arch, layers)
    heads = config.get("num_attention_heads") or config["n_head"]
    numbers = {}
    for name, values in load(folder).items():
        if name.endswith((".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias")):
            continue
        if name in ("lm_head.weight", "embed_out.weight") and config.get("tie_word_embeddings", model_type in ("gpt2", "gemma")):
            continue
        moved, back = values, lambda x: x
        if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight", "q_proj.bias", "k_proj.bias")):
            count = heads if ".q_proj." in name else config["num_key_value_heads"]
            moved, back = permuted(values, count), lambda x, count=count: undone("permuted", x, count)
        elif model_type == "gpt_neox" and ".query_key_value." in name:
            moved, back = joined(values, heads), lambda x: undone("joined", x, heads)
        elif model_type == "gemma" and name.endswith("norm.weight"):
            moved, back = values + 1, lambda x: x - 1
        elif model_type == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            moved, back = values.T, lambda x: x.T
        rows, raw, read = stored(moved, kind)
        file_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if file_name is None:
            raise SystemExit(f"{folder}: '{name}' has no name in files of {architecture}")
        writer.add_tensor(file_name, rows, raw_dtype=raw)
        numbers[name] = back(read)
    for name, values in more.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return numbers


def byte_level_tokenizer(folder, pre):
    """Metadata of a byte-level BPE's tokenizer.json, as the converter writes them."""
    described = json.loads((Path(folder) / "tokenizer.json").read_text())
    model, added = described["model"], described["added_tokens"]
    ids = dict(model["vocab"])
    ids.update({token["content"]: token["id"] for token in added})
    control = {token["content"] for token in added if token["special"]}
    own = {token["content"] for token in added if not token["special"]}
    settings_file = Path(folder) / "tokenizer_config.json"
    settings = json.loads(settings_file.read_text()) if settings_file.exists() else {}
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]

    def add(writer):
        tokens = sorted(ids, key=ids.get)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(tokens)
        writer.add_token_types([3 if token in control else 4 if token in own else 1 for token in tokens])
        writer.add_token_merges(merges)
        for role, call in [("bos", writer.add_bos_token_id), ("eos", writer.add_eos_token_id), ("pad", writer.add_pad_token_id)]:
            if settings.get(f"{role}_token") in ids:
                call(ids[settings[f"{role}_token"]])
        if "add_bos_token" in settings:
            writer.add_add_bos_token(settings["add_bos_token"])

    return add


def sentencepiece_tokenizer(file, bos=True):
    """Metadata of a SentencePiece BPE (Llama 2, Gemma), as the converter writes them."""
    import sentencepiece.sentencepiece_model_pb2 as sentencepiece_model

    model = sentencepiece_model.ModelProto()
    model.ParseFromString(Path(file).read_bytes())

    def add(writer):
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list([piece.piece.encode() for piece in model.pieces])
        writer.add_token_scores([piece.score for piece in model.pieces])
        writer.add_token_types([piece.type for piece in model.pieces])
        ids = {piece.piece: i for i, piece in enumerate(model.pieces)}
        for token, call in [("<s>", writer.add_bos_token_id), ("</s>", writer.add_eos_token_id), ("<unk>", writer.add_unk_token_id)]:
            if token in ids:
                call(ids[token])
        writer.add_add_bos_token(bos)

    return add
