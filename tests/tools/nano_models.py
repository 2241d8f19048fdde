"""Model folders of a few kilobytes that know a few words, for scripts: the golden models with tokenizers put beside them."""
import json
import os
import pathlib
import shutil

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
WORDS = "cat sat on mat good bad who ? ann lives in rome . is x y z u v yes no it was text line and the".split()


def copied(name, folder):
    shutil.copytree(GOLDEN / name / "model", folder)
    with open(os.path.join(folder, "config.json")) as f:
        return json.load(f)


def fill(words, count):
    return words + [f"w{i}" for i in range(count - len(words))]


def bert(folder):
    config = copied("bert", folder)
    with open(os.path.join(folder, "vocab.txt"), "w") as f:
        f.write("\n".join(fill(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS], config["vocab_size"])) + "\n")
    return folder


def glm(folder):
    copied("glm", folder)
    with open(os.path.join(folder, "vocab.txt"), "w") as f:
        f.write("\n".join(fill(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS], 112)) + "\n")
    with open(os.path.join(folder, "added_tokens.json"), "w") as f:
        json.dump({"<|startofpiece|>": 112, "<|endofpiece|>": 113}, f)
    return folder


def gpt2(folder):
    """Letters are its tokens."""
    config = copied("gpt2", folder)
    signs = ["\u0120", *"abcdefghijklmnopqrstuvwxyz.?{}:\"'"]
    vocabulary = {sign: i for i, sign in enumerate(fill(signs, config["vocab_size"] - 1))}
    vocabulary["<|endoftext|>"] = config["vocab_size"] - 1
    with open(os.path.join(folder, "vocab.json"), "w") as f:
        json.dump(vocabulary, f)
    with open(os.path.join(folder, "merges.txt"), "w") as f:
        f.write("#version: 0.2\n")
    return folder
