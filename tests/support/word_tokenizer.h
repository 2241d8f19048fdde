// A BERT tokenizer of a handful of words.
#pragma once

#include <memory>
#include <string>

#include "data/tokenizers/tokenizer.h"
#include "tests/support/temporary_file.h"

namespace preamble::testing {

/// Ids of its words.
namespace word {
enum Id : std::int32_t { pad, unk, cls, sep, mask, the, cat, s, sat, on, mat, good, bad, who, question, ann, lives, in, rome, dot };
}

[[nodiscard]] inline std::unique_ptr<Tokenizer> word_tokenizer() {
  const TemporaryFile file("vocab.txt",
                           "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\nsat\non\nmat\ngood\nbad\nwho\n?\nann\nlives\nin\nrome\n.\n");
  return load_tokenizer(file.path());
}

}  // namespace preamble::testing
