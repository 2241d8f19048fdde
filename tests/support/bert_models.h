// The golden encoders, and batches for them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/runtime/compile.h"
#include "models/bert/bert.h"
#include "models/heads/headed_encoder.h"
#include "peft/method.h"
#include "peft/prefix_tuning.h"
#include "tests/support/golden.h"
#include "tests/support/prefixes.h"

namespace preamble::testing {

/// 2 layers, 4 heads of 8, vocabulary of 109, 64 positions, 2 token types.
[[nodiscard]] inline std::unique_ptr<Bert> golden_bert(Parameters::Options options = {}) { return Bert::open(golden("bert/model"), std::move(options)); }

/// 3 layers, 4 heads of 10, vocabulary of 107, 64 positions from row 2 of 66.
[[nodiscard]] inline std::unique_ptr<Bert> golden_roberta(Parameters::Options options = {}) {
  return Bert::open(golden("roberta/model"), std::move(options));
}

/// Keys and values of `tokens` rows in front of every layer.
[[nodiscard]] inline PrefixTuning deep_prompt(const EncoderModel& model, std::int64_t tokens, std::uint64_t seed) {
  const AttentionShape shape = model.attention_shape(Site::encoder_self);
  PrefixSlot slot;
  slot.emplace(Site::encoder_self, SitePrefixTable{PackedRows{random_floats({tokens, shape.layers * 2 * shape.kv_width()}, seed)}, shape.kv_heads,
                                                   shape.head_dim, pairs_of_layers(shape.layers, 1)});
  return PrefixTuning({std::move(slot)}, {.shifted = true});
}

/// A result of one plain forward pass.
[[nodiscard]] inline std::vector<float> encoder_result(const HeadedEncoder& encoder, const Method& method, const EncoderBatch& batch, std::string_view name) {
  Graph graph;
  const Conditioning conditioning = method.condition(graph);
  if (encoder.heads.empty()) {
    add_features(encoder.model, graph, conditioning, batch.capacity());
  } else {
    add_logits(encoder, graph, conditioning, batch.capacity(), name == headed::kLoss);
  }
  Session session(compile(std::move(graph)));
  feed(session, batch, conditioning, encoder.limits(), 1);
  session.run();
  const auto values = session.result<float>(name);
  return {values.begin(), values.end()};
}

}  // namespace preamble::testing
