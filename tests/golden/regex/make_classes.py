#!/usr/bin/env python3
"""Writes classes.tsv: what classes of regular expressions hold in Hugging Face tokenizers (0.23.3, Oniguruma), over all code points.

    python3 make_classes.py

A line is an expression of one character, the number of its members and the 64-bit FNV-1a hash of their ranges, written as `41-5A 61-7A ` in
hexadecimal. Surrogates are no characters; no range crosses them."""
import pathlib

from tokenizers import Regex, normalizers

POSIX = ["alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit", "word"]
PROPERTIES = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "LC", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
              "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cn", "Co", "Alpha", "Upper", "Lower", "Alnum", "Punct", "Graph",
              "Print", "Cntrl", "Blank", "XDigit", "Digit", "Space", "Word", "ASCII", "Any", "Assigned", "Letter", "Decimal_Number",
              "White_Space", "PosixPunct", "Han", "Hiragana", "Katakana", "Hangul", "Latin", "Greek", "Cyrillic", "Arabic", "Thai"]
SETS = ["[^\\s\\p{L}\\p{N}]", "[\\p{L}\\p{M}]", "[^\\r\\n\\p{L}\\p{N}]", "[\\w-]", "[\\w&&[^\\d]]", "[^\\W_]", "[[:word:]&&\\p{N}]", "[\\p{Word}]", "[^\\p{Word}]",
        "[\\P{L}]", "[\\p{^L}]", "(?i)[\\p{Lu}]", "(?i)[^\\p{Lu}]", "(?i)\\p{Lu}", "(?i)\\P{Ll}", "(?i)[[:lower:]]", "(?i)[a-zß]", "\\N", "\\O", "."]
CHARS = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
TEXT = "".join(CHARS)
CHUNK = 4096


def members(expression):
    normalizer = normalizers.Replace(Regex(expression), "")
    rest = set().union(*(normalizer.normalize_str(TEXT[i : i + CHUNK]) for i in range(0, len(TEXT), CHUNK)))
    return [ord(c) for c in CHARS if c not in rest]


def ranges(codes):
    out = []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return "".join(f"{a:X}-{b:X} " for a, b in out)


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def main():
    expressions = [form for letter in "wdsh" for form in (f"\\{letter}", f"\\{letter.upper()}", f"[\\{letter}]", f"[^\\{letter}]", f"[\\{letter.upper()}]")]
    expressions += [form for name in POSIX for form in (f"[[:{name}:]]", f"[[:^{name}:]]")] + [f"\\p{{{name}}}" for name in PROPERTIES] + SETS
    with open(pathlib.Path(__file__).parent / "classes.tsv", "w") as out:
        for expression in expressions:
            found = members(expression)
            print(expression, len(found), f"{fnv1a(ranges(found)):016X}", sep="\t", file=out)


if __name__ == "__main__":
    main()
