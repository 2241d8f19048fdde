#!/usr/bin/env python3
"""Writes buckets.txt: what T5Attention._relative_position_bucket of transformers (5.17.0, torch 2.13.0, CPU) answers.

    python3 make_buckets.py

A line holds: bidirectional, buckets, max_distance, then pairs of a distance (key - query, from -1000 to 1000) at which a
new bucket begins and that bucket.
"""

import pathlib

import torch
from transformers.models.t5.modeling_t5 import T5Attention

CASES = [(32, 128), (32, 64), (16, 128), (32, 256), (64, 128), (8, 20), (20, 100), (32, 512), (6, 7), (12, 1000), (4, 50), (48, 300), (128, 1024), (10, 37)]

distances = torch.arange(-1000, 1001)
lines = []
for bidirectional in (True, False):
    for buckets, max_distance in CASES:
        found = T5Attention._relative_position_bucket(distances, bidirectional, buckets, max_distance).tolist()
        changes = [(d, b) for i, (d, b) in enumerate(zip(distances.tolist(), found)) if i == 0 or b != found[i - 1]]
        lines.append(" ".join(map(str, [int(bidirectional), buckets, max_distance, *(x for pair in changes for x in pair)])))
pathlib.Path(__file__).with_name("buckets.txt").write_text("\n".join(lines) + "\n")
