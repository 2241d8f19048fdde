// `preamble adapt`: trains a language model, or a prompt in front of it, on plain text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "data/corpus/objective.h"
#include "tools/train_command.h"

namespace preamble {

struct AdaptArguments {
  /// Model, method, loop and optimizer. `model` is where config and tokenizer lie.
  TrainArguments train;
  bool from_nothing = false;  ///< the weights of `train.model` are not read: training starts at random ones
  std::vector<std::filesystem::path> train_files, validation_files;
  /// Name of the objective; empty: prefix-lm (T5), causal-lm, masked-lm or denoising (BART), by what the model is.
  std::string objective;
  ObjectiveOptions options;          ///< `kind` is not read
  std::string documents;             ///< name of the DocumentFormat; empty: jsonl for files of that name, else form-feed
  std::string text_field = "text";   ///< of JSON lines
  bool packed = true;                ///< documents follow each other in a window
  std::string document_end = "auto";  ///< token behind each document; auto: by the model, none, or a token of the vocabulary
  std::int64_t shuffle_windows = 2048;
  std::int64_t validation_windows = 256;
};

/// Runs the command and returns the exit status. Throws Error.
int adapt_command(const AdaptArguments& arguments);

}  // namespace preamble
