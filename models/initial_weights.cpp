#include "models/initial_weights.h"

#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "data/model_type.h"
#include "engine/core/error.h"
#include "engine/core/hash.h"
#include "engine/core/parallel.h"
#include "engine/core/random.h"

namespace preamble {
namespace {

/// Standard deviation of a matrix of that name.
using Deviation = std::function<double(std::string_view name)>;

double positive(const JsonFile& config, std::string_view field, double otherwise) {
  const double value = config.get<double>(field, otherwise);
  require<FileError>(value > 0 && std::isfinite(value), "{}: field '{}' is {}; wanted a positive number", config.where(), field, value);
  return value;
}

Deviation t5_rule(const JsonFile& config) {
  const double factor = positive(config, "initializer_factor", 1);
  const double width = positive(config, "d_model", 512), head = positive(config, "d_kv", 64), heads = positive(config, "num_heads", 8);
  const double inner = positive(config, "d_ff", 2048);
  return [=](std::string_view name) {
    const auto is = [&](std::string_view end) { return name.ends_with(end); };
    if (is("shared.weight") || is("embed_tokens.weight")) return factor;
    if (is("Attention.q.weight")) return factor / std::sqrt(width * head);
    if (is("Attention.o.weight")) return factor / std::sqrt(heads * head);
    if (is(".wo.weight")) return factor / std::sqrt(inner);
    return factor / std::sqrt(width);
  };
}

Deviation gpt2_rule(const JsonFile& config) {
  const double range = positive(config, "initializer_range", 0.02);
  const double layers = positive(config, config.has("n_layer") ? "n_layer" : "num_hidden_layers", 12);
  return [=](std::string_view name) { return name.ends_with("c_proj.weight") ? range / std::sqrt(2 * layers) : range; };
}

class InitialSource final : public ParameterSource {
 public:
  InitialSource(const JsonFile& config, std::uint64_t seed) : where_(config.where()), seed_(seed) {
    const auto type = model_type_of(config);
    if (type == "t5" || type == "mt5" || type == "umt5") {
      deviation_ = t5_rule(config);
      norm_ = static_cast<float>(positive(config, "initializer_factor", 1));
      return;
    }
    padding_ = config.get<std::int64_t>("pad_token_id", -1);
    const double range = positive(config, type == "bart" ? "init_std" : "initializer_range", 0.02);
    deviation_ = type == "gpt2" ? gpt2_rule(config) : [range](std::string_view) { return range; };
    if (type == "gpt2") padding_ = -1;
  }

  [[nodiscard]] bool contains(std::string_view) const override { return true; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
  [[nodiscard]] std::string where(std::string_view name) const override { return fmt::format("{}: '{}'", where_, name); }

  [[nodiscard]] Tensor get(std::string_view name, const Dims& dims, Dtype dtype) const override {
    Tensor tensor(Dtype::f32, dims);
    const auto values = tensor.values<float>();
    if (dims.size() < 2) {
      std::ranges::fill(values, name.ends_with("bias") || name.ends_with("beta") ? 0.0F : norm_);
      return tensor.to(dtype);
    }
    const double deviation = deviation_(name);
    const std::uint64_t stream = fnv1a(kHashSeed, name.data(), name.size());
    constexpr std::int64_t kBlock = 1 << 14;
    parallel_for(tensor.count(), kBlock, [&](std::int64_t begin, std::int64_t end) {
      Random random(seed_, stream);
      random.seek(2 * static_cast<std::uint64_t>(begin));  // a normal number takes two uniform ones
      for (std::int64_t i = begin; i < end; ++i) values[static_cast<std::size_t>(i)] = static_cast<float>(deviation * static_cast<double>(random.normal()));
    });
    const bool words = name.ends_with("word_embeddings.weight") || name.ends_with("shared.weight");
    if (words && padding_ >= 0 && padding_ < dims[0]) {
      const auto width = static_cast<std::size_t>(dims[1]);
      std::ranges::fill(values.subspan(static_cast<std::size_t>(padding_) * width, width), 0.0F);
    }
    return tensor.to(dtype);
  }

 private:
  std::string where_;
  std::uint64_t seed_;
  Deviation deviation_;
  float norm_ = 1;
  std::int64_t padding_ = -1;  ///< row of the embedding that is 0; -1: none
};

}  // namespace

std::shared_ptr<const ParameterSource> initial_source(const JsonFile& config, std::uint64_t seed) {
  return std::make_shared<InitialSource>(config, seed);
}

}  // namespace preamble
