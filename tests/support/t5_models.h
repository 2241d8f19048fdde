// Small T5 models, batches for them, and copies of a checkpoint with planted mistakes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/file.h"
#include "engine/core/random.h"
#include "models/parameters.h"
#include "models/seq2seq_batch.h"
#include "models/t5/t5.h"
#include "peft/prompt_tuning.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace preamble::testing {

using Ids = std::vector<std::int32_t>;

/// The golden T5 v1.1: gated, untied, 5 heads of 8 on a width of 36, 2 + 3 layers, vocabulary of 113.
[[nodiscard]] inline std::unique_ptr<T5> golden_t5(Parameters::Options options = {}) {
  return T5::open(golden("t5-v11/model"), std::move(options));
}

/// A prompt of random numbers.
[[nodiscard]] inline PromptSlot random_prompt(std::int64_t tokens, std::int64_t width, std::uint64_t seed) {
  Tensor embeddings(Dtype::f32, {tokens, width});
  Random random(seed);
  for (auto& x : embeddings.values<float>()) x = random.normal();
  return {embeddings, tokens};
}

/// Sequences of different lengths, one label in the middle missing.
[[nodiscard]] inline Seq2SeqBatch small_batch() {
  Seq2SeqBatch batch;
  batch.sources = {{5, 17, 33, 2, 9, 61, 1}, {90, 4, 1}, {12, 12, 70, 41, 1}};
  batch.labels = {{8, 30, 1}, {44, kNoLabel, 7, 99, 1}, {3, 1}};
  for (const auto& labels : batch.labels) batch.decoder_inputs.push_back(shifted_right(labels, 0, 0));
  return batch;
}

/// One sequence of a batch as a batch.
[[nodiscard]] inline Seq2SeqBatch sequence_of(const Seq2SeqBatch& batch, std::size_t i) {
  Seq2SeqBatch one;
  one.sources = {batch.sources[i]};
  if (!batch.slots.empty()) one.slots = {batch.slots[i]};
  if (!batch.decoder_inputs.empty()) one.decoder_inputs = {batch.decoder_inputs[i]};
  if (!batch.labels.empty()) one.labels = {batch.labels[i]};
  return one;
}

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// The golden T5 v1.1 folder, with tensors changed by `change`.
inline void write_changed_t5(const TemporaryFolder& folder, const std::function<void(NamedTensors&)>& change) {
  const auto source = golden("t5-v11/model");
  write_atomically(folder.path() / "config.json", read_text(source / "config.json"));
  const auto file = SafetensorsFile::open(source / "model.safetensors");
  NamedTensors tensors;
  for (const auto& name : file.names()) tensors.emplace_back(name, file.get(name));
  change(tensors);
  write_safetensors(folder.path() / "model.safetensors", tensors);
}

}  // namespace preamble::testing
