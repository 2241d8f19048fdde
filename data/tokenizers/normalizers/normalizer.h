// What happens to a text before it is cut: the `normalizer` of a tokenizer.json.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/aligned_text.h"

namespace preamble {

/// A normalizer. Const and safe to call from several threads.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void normalize(AlignedText& text) const = 0;
};

/// One normalizer after the other.
class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(std::vector<std::unique_ptr<Normalizer>> parts) : parts_(std::move(parts)) {}
  void normalize(AlignedText& text) const override {
    for (const auto& part : parts_) part->normalize(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

/// The normalizer that a `normalizer` object describes; null for null. Throws UnsupportedError that begins with `origin` and names a kind that
/// is not built in, FileError or nlohmann::json::exception for a malformed one.
[[nodiscard]] std::unique_ptr<Normalizer> read_normalizer(const nlohmann::json& value, std::string_view origin);

}  // namespace preamble
