#!/usr/bin/env python3
"""Writes small GGUF files with the public `gguf` package, by the names and rules of llama.cpp's converter.

    make_models.py FOLDER [--tokenizers DIR]    # of tests/golden

`llama-f32.gguf`, `llama3-f32.gguf`, `qwen3-f32.gguf`, `gemma-f32.gguf`, `gpt_neox-f32.gguf`: the models of those folders by
`bench/parity/gguf_converter.py`, the first two with tokenizers (`--tokenizers`: a folder with `llama2/tokenizer.model` and
`llama3/tokenizer.json`). `llama-mixed.gguf`: a Llama of width 256 whose matrices are of all types, and `llama-mixed.safetensors`, the numbers that the `gguf`
package reads in some of its rows. `gpt2-f16.gguf`, `gpt2-q8_0.gguf`: the model of gpt2/model with the tokenizer gpt2-nano. `bert-f32.gguf`: the model of bert/model. `t5-f32.gguf`: the
model of t5-v11/model with the tokenizer t5-nano.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy
import sentencepiece.sentencepiece_model_pb2 as sentencepiece_model
from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFWriter, quants
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench/parity"))
import gguf_converter  # noqa: E402

F32, F16, Q8_0 = GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.Q8_0


def add(writer, name, values, matrices):
    """Vectors stay F32, as the converter has it."""
    if values.ndim == 1 or matrices == F32:
        writer.add_tensor(name, values.astype(numpy.float32))
    elif matrices == F16:
        writer.add_tensor(name, values.astype(numpy.float16))
    else:
        writer.add_tensor(name, quants.quantize(values.astype(numpy.float32), matrices), raw_dtype=matrices)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def names_of(arch, layers):
    mapping = gguf.get_tensor_name_map(arch, layers)
    return lambda name: mapping.get_name(name, try_suffixes=('.weight', '.bias'))


def gpt2(golden, out, matrices):
    config = json.loads((golden / 'gpt2/model/config.json').read_text())
    writer = GGUFWriter(out, 'gpt2')
    writer.add_context_length(config['n_positions'])
    writer.add_embedding_length(config['n_embd'])
    writer.add_block_count(config['n_layer'])
    writer.add_feed_forward_length(config.get('n_inner') or 4 * config['n_embd'])
    writer.add_head_count(config['n_head'])
    writer.add_layer_norm_eps(config['layer_norm_epsilon'])
    tokens = golden / 'tokenizers/gpt2-nano'
    vocabulary = json.loads((tokens / 'vocab.json').read_text())
    writer.add_tokenizer_model('gpt2')
    writer.add_tokenizer_pre('gpt-2')
    writer.add_token_list(sorted(vocabulary, key=vocabulary.get))
    writer.add_token_types([1] * len(vocabulary))
    writer.add_token_merges((tokens / 'merges.txt').read_text().splitlines()[1:])
    if '<|endoftext|>' in vocabulary:
        writer.add_bos_token_id(vocabulary['<|endoftext|>'])
        writer.add_eos_token_id(vocabulary['<|endoftext|>'])
    name_of = names_of(MODEL_ARCH.GPT2, config['n_layer'])
    for name, values in load_file(golden / 'gpt2/model/model.safetensors').items():
        if name.endswith(('.attn.bias', '.attn.masked_bias')) or name == 'lm_head.weight':
            continue
        if name.endswith(('.c_attn.weight', '.c_proj.weight', '.c_fc.weight')):
            values = numpy.ascontiguousarray(values.T)
        add(writer, name_of(name), values, matrices)
    finish(writer)


def bert(golden, out):
    config = json.loads((golden / 'bert/model/config.json').read_text())
    writer = GGUFWriter(out, 'bert')
    writer.add_context_length(config['max_position_embeddings'])
    writer.add_embedding_length(config['hidden_size'])
    writer.add_block_count(config['num_hidden_layers'])
    writer.add_feed_forward_length(config['intermediate_size'])
    writer.add_head_count(config['num_attention_heads'])
    writer.add_layer_norm_eps(config['layer_norm_eps'])
    writer.add_causal_attention(False)
    tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'play', '##ing', 'the', '##s']
    writer.add_tokenizer_model('bert')
    # the converter marks beginnings of words
    writer.add_token_list([t if t.startswith('[') else t[2:] if t.startswith('##') else '\u2581' + t for t in tokens])
    writer.add_unk_token_id(1)
    writer.add_sep_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_mask_token_id(4)
    name_of = names_of(MODEL_ARCH.BERT, config['num_hidden_layers'])
    for name, values in load_file(golden / 'bert/model/model.safetensors').items():
        short = name.removeprefix('bert.')
        if short.startswith(('pooler', 'cls.', 'classifier', 'qa_outputs')) or short.endswith('position_ids'):
            continue
        add(writer, name_of(short), values, F32)
    finish(writer)


def t5(golden, out):
    config = json.loads((golden / 't5-v11/model/config.json').read_text())
    writer = GGUFWriter(out, 't5')
    writer.add_context_length(512)
    writer.add_embedding_length(config['d_model'])
    writer.add_feed_forward_length(config['d_ff'])
    writer.add_block_count(config['num_layers'])
    writer.add_decoder_block_count(config['num_decoder_layers'])
    writer.add_head_count(config['num_heads'])
    writer.add_key_length(config['d_kv'])
    writer.add_value_length(config['d_kv'])
    writer.add_layer_norm_eps(config['layer_norm_epsilon'])
    writer.add_relative_attn_buckets_count(config['relative_attention_num_buckets'])
    writer.add_layer_norm_rms_eps(config['layer_norm_epsilon'])
    writer.add_decoder_start_token_id(config['decoder_start_token_id'])
    model = sentencepiece_model.ModelProto()
    model.ParseFromString((golden / 'tokenizers/t5-nano/spiece.model').read_bytes())
    writer.add_tokenizer_model('t5')
    # the converter takes added tokens for pieces of the user, and fills up with unused ones
    extra, unused = [f'<extra_id_{i}>' for i in reversed(range(100))], [f'[PAD{i}]' for i in range(3)]
    writer.add_token_list([p.piece.encode() for p in model.pieces] + extra + unused)
    writer.add_token_scores([p.score for p in model.pieces] + [-1000.0] * 103)
    writer.add_token_types([p.type for p in model.pieces] + [4] * 100 + [5] * 3)
    writer.add_add_space_prefix(model.normalizer_spec.add_dummy_prefix)
    writer.add_remove_extra_whitespaces(model.normalizer_spec.remove_extra_whitespaces)
    if model.normalizer_spec.precompiled_charsmap:
        writer.add_precompiled_charsmap(model.normalizer_spec.precompiled_charsmap)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    writer.add_pad_token_id(0)
    name_of = names_of(MODEL_ARCH.T5, max(config['num_layers'], config['num_decoder_layers']))
    for name, values in load_file(golden / 't5-v11/model/model.safetensors').items():
        if name in ('encoder.embed_tokens.weight', 'decoder.embed_tokens.weight'):
            continue
        add(writer, name_of(name), values, F32)
    finish(writer)


MIXED = {"attn_q": "Q4_K", "attn_k": "Q8_0", "attn_v": "Q6_K", "attn_output": "Q4_0", "ffn_gate": "BF16", "ffn_up": "F16", "ffn_down": "Q4_K"}


def mixed(golden):
    """A layer of a Llama, a type for each matrix; and the first and last rows of each, under the checkpoint's names."""
    random = numpy.random.default_rng(5)
    config = {"model_type": "llama", "hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 1, "num_attention_heads": 4,
              "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 64, "vocab_size": 40, "rms_norm_eps": 1e-5, "rope_theta": 10000.0}
    shapes = {"self_attn.q_proj": (128, 256), "self_attn.k_proj": (64, 256), "self_attn.v_proj": (64, 256), "self_attn.o_proj": (256, 128),
              "mlp.gate_proj": (256, 256), "mlp.up_proj": (256, 256), "mlp.down_proj": (256, 256)}
    writer = GGUFWriter(golden / "gguf/llama-mixed.gguf", "llama")
    gguf_converter.describe(writer, config)
    name_of = names_of(MODEL_ARCH.LLAMA, 1)
    rows = {}
    for name in ("model.embed_tokens.weight", "model.norm.weight", "model.layers.0.input_layernorm.weight", "model.layers.0.post_attention_layernorm.weight"):
        values = random.normal(1, 0.1, (40, 256) if "embed" in name else 256).astype(numpy.float32)
        writer.add_tensor(name_of(name), values)
    for part, shape in shapes.items():
        values = random.normal(0, 0.05, shape).astype(numpy.float32)
        name = f"model.layers.0.{part}.weight"
        own = name_of(name)
        heads = {"self_attn.q_proj": 4, "self_attn.k_proj": 2}.get(part)
        moved = gguf_converter.permuted(values, heads) if heads else values
        stored, raw, numbers = gguf_converter.stored(moved, GGMLQuantizationType[MIXED[own.split(".")[2]]])
        writer.add_tensor(own, stored, raw_dtype=raw)
        numbers = gguf_converter.undone("permuted", numbers, heads) if heads else numbers
        rows[name] = numpy.ascontiguousarray(numbers[[0, 1, 17, -1]])
    finish(writer)
    save_file(rows, golden / "gguf/llama-mixed.safetensors")


def decoders(golden, tokenizers):
    for folder in ("llama", "llama3", "qwen3", "gemma", "gpt_neox"):
        add = None
        if tokenizers and folder == "llama":
            add = gguf_converter.sentencepiece_tokenizer(tokenizers / "llama2/tokenizer.model")
        if tokenizers and folder == "llama3":
            add = gguf_converter.byte_level_tokenizer(tokenizers / "llama3", "llama-bpe")
        gguf_converter.write(golden / folder / "model", golden / f"gguf/{folder}-f32.gguf", F32, add)


def main(folder, tokenizers):
    golden = Path(folder)
    mixed(golden)
    decoders(golden, tokenizers)
    gpt2(golden, golden / 'gguf/gpt2-f16.gguf', F16)
    gpt2(golden, golden / 'gguf/gpt2-q8_0.gguf', Q8_0)
    bert(golden, golden / 'gguf/bert-f32.gguf')
    t5(golden, golden / 'gguf/t5-f32.gguf')


if __name__ == '__main__':
    main(sys.argv[1], Path(sys.argv[3]) if len(sys.argv) > 3 else None)
