#!/usr/bin/env python3
"""Code that is compiled for one instruction set belongs to that set alone.

    kernel_symbols_test.py NM SET=LIBRARY ...

The linker keeps one copy of an inline function that several files have, whichever set its file was compiled for: a machine without
AVX-512 would run into it from anywhere. So each function that a kernel library offers to others must have the set in its name.
"""

import subprocess
import sys


def functions(nm, library):
    """Names, as the linker sees them, of functions that the library defines for others."""
    listing = subprocess.run([nm, '--defined-only', library], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        parts = line.split()
        # T: code, W: code of which one copy is kept; data is no matter, V and u
        if len(parts) == 3 and parts[1] in ('T', 'W', 'i'):
            yield parts[2]


def main(nm, libraries):
    failures = 0
    for instruction_set, library in (entry.split('=', 1) for entry in libraries):
        names = set(functions(nm, library))
        # a namespace is its length and its name: `8x86_64v3`
        mangled = f'{len(instruction_set)}{instruction_set}'
        strangers = sorted(name for name in names if mangled not in name)
        for name in strangers:
            print(f'{library}: {name}: compiled for {instruction_set} and linked for every machine')
        if not names:
            print(f'{library}: no functions found; wanted some')
        failures += len(strangers) + (0 if names else 1)
    return 1 if failures or not libraries else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2:]))
