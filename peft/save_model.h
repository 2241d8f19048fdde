// A fine-tuned model as a Hugging Face folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/heads/head.h"
#include "models/parameters.h"

namespace preamble {

/// Writes config, tokenizer files and generation options of `source` and all loaded parameters, low-rank additions merged into their weights
/// (model.safetensors), to `target`, which transformers then loads. The config's `dtype` becomes that of the parameters: transformers rounds weights
/// to it. The folder is made if need be; each file is replaced atomically, config.json last. Throws FileError if `target` is
/// `source`, or if a file cannot be read or written.
void save_model_folder(const std::filesystem::path& source, const std::filesystem::path& target, const Parameters& parameters);

/// The same of an encoder with its head, so that transformers loads it as a model of the head's task: the classes' names go to the
/// config (`id2label`), and the backbone's tensors get the family's prefix (`bert.`) if they lack it. The masked-LM head is the model's
/// own already.
void save_model_folder(const std::filesystem::path& source, const std::filesystem::path& target, const Parameters& parameters,
                       const Head& head, const std::vector<std::string>& classes);

/// Copies tokenizer files and generation options. The folder is made if need be. Throws FileError if `target` is `source`, or if a file cannot
/// be read or written.
void copy_model_files(const std::filesystem::path& source, const std::filesystem::path& target);

}  // namespace preamble
