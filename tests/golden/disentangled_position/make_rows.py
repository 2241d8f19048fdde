#!/usr/bin/env python3
"""Writes rows.txt: which row of its position tables DeBERTa v2 of transformers (5.17.0, torch 2.13.0, CPU) reads.

    python3 make_rows.py

A line holds: position_buckets, max_relative_positions, then pairs of a distance (query - key, from -1100 to 1100) at which a
new row begins and that row.
"""

import pathlib

import torch
from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

CASES = [(8, 64), (256, 512), (4, 6), (32, 128), (2, 40), (16, 512), (64, 1024), (0, 20)]

distances = torch.arange(-1100, 1101)
lines = []
for buckets, longest in CASES:
    span = buckets or longest
    positions = make_log_bucket_position(distances, buckets, longest).to(torch.long) if buckets else distances
    found = torch.clamp(positions + span, 0, 2 * span - 1).tolist()
    changes = [(d, r) for i, (d, r) in enumerate(zip(distances.tolist(), found)) if i == 0 or r != found[i - 1]]
    lines.append(" ".join(map(str, [buckets, longest, *(x for pair in changes for x in pair)])))
pathlib.Path(__file__).with_name("rows.txt").write_text("\n".join(lines) + "\n")
