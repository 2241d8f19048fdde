// The golden GPT-2 and BART, and batches for them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/runtime/compile.h"
#include "models/bart/bart.h"
#include "models/causal_batch.h"
#include "models/gpt2/gpt2.h"
#include "peft/method.h"
#include "tests/support/golden.h"

namespace preamble::testing {

using LogitsOfRows = std::vector<std::vector<float>>;

/// 3 layers, 4 heads of 8, vocabulary of 97, 64 positions.
[[nodiscard]] inline std::unique_ptr<Gpt2> golden_gpt2(Parameters::Options options = {}) { return Gpt2::open(golden("gpt2/model"), std::move(options)); }

/// 2 + 3 layers, vocabulary of 103, 64 positions.
[[nodiscard]] inline std::unique_ptr<Bart> golden_bart(Parameters::Options options = {}) { return Bart::open(golden("bart/model"), std::move(options)); }

[[nodiscard]] inline LogitsOfRows rows_of_logits(std::span<const float> logits, std::int64_t width) {
  LogitsOfRows rows;
  for (std::size_t i = 0; i < logits.size(); i += static_cast<std::size_t>(width)) {
    const auto row = logits.subspan(i, static_cast<std::size_t>(width));
    rows.emplace_back(row.begin(), row.end());
  }
  return rows;
}

/// Logits of every token by one plain forward pass.
[[nodiscard]] inline LogitsOfRows logits_of(CausalLm& model, const Method& method, const CausalBatch& batch) {
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_logits(model, graph, conditioning, batch.capacity(), false);
  Session session(compile(std::move(graph)));
  feed(session, batch, conditioning, model.limits(), 1);
  session.run();
  return rows_of_logits(session.result<float>(causal::kLogits), model.vocabulary());
}

}  // namespace preamble::testing
