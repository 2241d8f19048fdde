// Where the rows of a prompt start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/truncation.h"
#include "engine/core/tensor.h"

namespace preamble {

enum class PromptInitKind : std::uint8_t {
  random,            ///< U[0, 0.5): the released code of Lester et al. (flax `uniform(scale=0.5)`)
  random_symmetric,  ///< U[-0.5, 0.5): their paper
  normal,            ///< N(0, 1): PEFT's RANDOM
  sample_vocab,      ///< embeddings of the most frequent pieces, drawn without replacement
  whole_vocab,       ///< embeddings of pieces drawn from the whole vocabulary with replacement: PEFT's SAMPLE_VOCAB
  class_labels,      ///< row i: mean of the sub-token embeddings of label i; the rest as sample_vocab
  text,              ///< row i: embedding of the i-th token of a text; the rest as the fallback says
  adapter,           ///< the rows of another adapter; the rest as sample_vocab
  file,              ///< the rows of a .npy file; the rest as sample_vocab
};

/// `random`, `random_symmetric`, `normal`, `sample_vocab`, `class_labels`, `text`, `adapter`, `file`, and PEFT's RANDOM (normal),
/// SAMPLE_VOCAB (whole_vocab), TEXT (text; PEFT's tokenizer call appends its end token too). Throws ConfigError that lists them.
[[nodiscard]] PromptInitKind prompt_init_of(std::string_view name);

/// What fills the rows behind a text that is shorter than the prompt.
enum class TextFallback : std::uint8_t {
  tile,     ///< the text again and again (PEFT)
  uniform,  ///< U[0, 0.01): the released code of Lester et al.
  sample_vocab,
};

struct PromptInit {
  PromptInitKind kind = PromptInitKind::sample_vocab;
  std::int64_t tokens = 100;
  std::uint64_t seed = 0;
  /// sample_vocab draws from the first rows of the vocabulary, with replacement if the prompt is longer (Lester et al.: 5,000).
  std::int64_t population = 5000;
  std::vector<std::string> labels = {};  ///< class_labels; those beyond the prompt's rows are left out
  std::string text = {};
  TextFallback fallback = TextFallback::tile;
  /// adapter: rows [N, D] of its prompt; file: path of a .npy file [N, D].
  Tensor rows = {};
  std::filesystem::path file = {};
};

/// F32 [tokens, D] for an embedding [V, D] (F32 or BF16). A function of the arguments alone. Throws ConfigError for an empty
/// text or no labels, FileError for a file that is no .npy of floating rows, ShapeError for rows of another width.
[[nodiscard]] Tensor initial_prompt(const PromptInit& init, const Tensor& embedding, const Tokenize& tokenize);

/// F32 of a float16, float32 or float64 matrix in NumPy's .npy format (versions 1 to 3, little-endian, C order). Throws FileError.
[[nodiscard]] Tensor read_npy(const std::filesystem::path& path);

}  // namespace preamble
