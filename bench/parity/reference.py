"""What the scripts of this folder share: prompt tuning by transformers + PEFT, and the memory of this process."""

import re

import peft


def prompt_tuned(model, tokens):
    """`model` (an encoder-decoder) frozen, behind `tokens` trainable prompt rows at the encoder's input."""
    config = peft.PromptTuningConfig(
        task_type="SEQ_2_SEQ_LM",
        num_virtual_tokens=tokens,
        # the encoder alone; PEFT's default for sequence to sequence is 2, but it feeds the first half only
        num_transformer_submodules=1,
        prompt_tuning_init="RANDOM",
    )
    return peft.get_peft_model(model, config)


def prompt_parameter(model):
    """The prompt [P, D] of a model made by `prompt_tuned`."""
    return model.prompt_encoder["default"].embedding.weight


def reset_peak_rss():
    """Makes `peak_rss_bytes` count from now on (Linux)."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def peak_rss_bytes():
    return status_bytes("VmHWM")


def rss_bytes():
    return status_bytes("VmRSS")


def status_bytes(field):
    with open("/proc/self/status", encoding="ascii") as file:
        return int(re.search(rf"^{field}:\s+(\d+) kB$", file.read(), re.MULTILINE)[1]) * 1024
