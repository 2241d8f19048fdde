#!/usr/bin/env python3
"""Writes blocks.safetensors: random blocks of GGUF, and the numbers that the `gguf` package of llama.cpp reads in them.

    make_blocks.py FILE
"""

import sys

import numpy
from gguf import GGMLQuantizationType, quants
from safetensors.numpy import save_file

TYPES = {'Q8_0': (32, 34), 'Q4_0': (32, 18), 'Q4_K': (256, 144), 'Q6_K': (256, 210)}
ROWS, COLUMNS = 2, 512


def main(path):
    random = numpy.random.default_rng(7)
    tensors = {}
    for name, (elements, size) in TYPES.items():
        blocks = random.integers(0, 256, (ROWS * COLUMNS // elements, size), dtype=numpy.uint8)
        # scales in F16 must be numbers
        places = {'Q8_0': [0], 'Q4_0': [0], 'Q4_K': [0, 2], 'Q6_K': [208]}[name]
        for place in places:
            scales = random.normal(0, 0.01, len(blocks)).astype(numpy.float16)
            blocks[:, place : place + 2] = scales.view(numpy.uint8).reshape(-1, 2)
        rows = blocks.reshape(ROWS, -1)
        tensors[f'{name}.blocks'] = rows
        tensors[f'{name}.numbers'] = quants.dequantize(rows, GGMLQuantizationType[name]).astype(numpy.float32)
    save_file(tensors, path)


if __name__ == '__main__':
    main(sys.argv[1])
