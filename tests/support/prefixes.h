// Prefixes of random numbers, and what a T5 computes with them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/compile.h"
#include "engine/runtime/session.h"
#include "peft/prefix_tuning.h"
#include "tests/support/t5_models.h"

namespace preamble::testing {

inline Tensor random_floats(Dims dims, std::uint64_t seed) {
  Tensor tensor(Dtype::f32, std::move(dims));
  Random random(seed);
  for (auto& x : tensor.values<float>()) x = random.normal();
  return tensor;
}

/// A prefix in packed rows for a site of the golden T5 v1.1 (5 heads of 8) in which layer i reads pair i.
[[nodiscard]] inline SitePrefixTable packed_prefix(std::int64_t layers, std::int64_t tokens, std::uint64_t seed, std::string names = {}) {
  return {PackedRows{random_floats({tokens, layers * 2 * 40}, seed)}, 5, 8, pairs_of_layers(layers, 1), std::move(names)};
}

/// Logits of all decoder rows [rows, V], one sequence after another.
[[nodiscard]] inline Tensor logits_of(EncoderDecoder& model, const Method& method, const Seq2SeqBatch& batch) {
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  add_logits(model, graph, conditioning, batch.capacity(), false);
  Session session(compile(std::move(graph)));
  feed(session, batch, conditioning, model.limits(), 1);
  session.run();
  return session.result_tensor(seq2seq::kLogits);
}

}  // namespace preamble::testing
