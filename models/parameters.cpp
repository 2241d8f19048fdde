#include "models/parameters.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <iterator>
#include <ranges>
#include <utility>

#include "data/tensor_archive.h"
#include "engine/core/error.h"
#include "engine/core/hash.h"
#include "engine/core/parallel.h"
#include "engine/core/stored_matrix.h"
#include "engine/core/warnings.h"
#include "models/gguf/import.h"
#include "models/gguf/source.h"

namespace preamble {
namespace {

std::atomic<Dtype> chosen_activations{Dtype::f32};

void require_activations(Dtype dtype) {
  require<DtypeError>(dtype == Dtype::f32 || dtype == Dtype::bf16, "activations: {} was given; wanted F32 or BF16", name_of(dtype));
}

class CheckpointSource final : public ParameterSource {
 public:
  explicit CheckpointSource(const std::filesystem::path& folder) : archive_(folder) {}

  [[nodiscard]] bool contains(std::string_view name) const override { return archive_.contains(name); }
  [[nodiscard]] Tensor get(std::string_view name, const Dims&, Dtype) const override { return archive_.get(name); }
  [[nodiscard]] std::vector<std::string> names() const override { return archive_.names(); }
  [[nodiscard]] std::string where(std::string_view name) const override {
    return archive_.contains(name) ? archive_.where(name) : archive_.folder().string();
  }

 private:
  TensorArchive archive_;
};

/// Any name exists.
class MadeUpSource : public ParameterSource {
 public:
  [[nodiscard]] bool contains(std::string_view) const override { return true; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
  [[nodiscard]] std::string where(std::string_view name) const override { return fmt::format("made-up weights: '{}'", name); }
};

/// In [-1, 1) (splitmix64: a benchmark needs speed and spread, not quality).
float spread(std::uint64_t i) noexcept {
  std::uint64_t x = i * 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return static_cast<float>(x >> 40U) * 0x1.0p-23F - 1.0F;
}

class RandomSource final : public MadeUpSource {
 public:
  explicit RandomSource(std::uint64_t seed) : seed_(seed) {}

  [[nodiscard]] Tensor get(std::string_view name, const Dims& dims, Dtype dtype) const override {
    if (is_quantised(dtype)) return get(name, dims, Dtype::f32).to(dtype);
    Tensor tensor(dtype, dims);
    // uniform with the variance 1 / fan-in that keeps activations at their scale; vectors are norm scales
    const float bound = dims.size() < 2 ? 0.0F : std::min(1.0F, 1.7F / std::sqrt(static_cast<float>(dims[1])));
    const std::uint64_t stream = seed_ + fnv1a(kHashSeed, name.data(), name.size());
    constexpr std::int64_t kBlock = 1 << 16;
    parallel_for(tensor.count(), kBlock, [&](std::int64_t begin, std::int64_t end) {
      std::array<float, 1024> numbers{};
      for (std::int64_t first = begin; first < end; first += std::ssize(numbers)) {
        const std::int64_t count = std::min(std::ssize(numbers), end - first);
        for (std::int64_t i = 0; i < count; ++i) {
          numbers[static_cast<std::size_t>(i)] = bound == 0 ? 1.0F : bound * spread(stream + static_cast<std::uint64_t>(first + i));
        }
        convert(numbers.data(), Dtype::f32, static_cast<std::byte*>(tensor.data()) + static_cast<std::size_t>(first) * size_of(dtype), dtype, count);
      }
    });
    return tensor;
  }

 private:
  std::uint64_t seed_;
};

class UntouchedSource final : public MadeUpSource {
 public:
  [[nodiscard]] Tensor get(std::string_view, const Dims& dims, Dtype dtype) const override { return {dtype, dims}; }
};

/// The numbers that stand at each place of some names: `transformer.h.` has 0 and 1.
class Numbering {
 public:
  template <class Names>
  explicit Numbering(const Names& names) {
    for (const std::string& name : names) {
      for_each_number(name, [&](std::string_view before, std::string_view number) { numbers_[std::string(before)].emplace(number); });
    }
  }

  /// Whether the name has a number at a place where the others have other numbers.
  [[nodiscard]] bool exceeded_by(std::string_view name) const {
    bool exceeded = false;
    for_each_number(name, [&](std::string_view before, std::string_view number) {
      const auto found = numbers_.find(before);
      exceeded = exceeded || (found != numbers_.end() && !found->second.contains(number));
    });
    return exceeded;
  }

 private:
  /// Calls `body` with each part of the name that is a number, and with what stands in front of it.
  template <class Body>
  static void for_each_number(std::string_view name, const Body& body) {
    for (std::size_t begin = 0; begin < name.size();) {
      const std::size_t end = std::min(name.find('.', begin), name.size());
      const std::string_view part = name.substr(begin, end - begin);
      if (!part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; })) body(name.substr(0, begin), part);
      begin = end + 1;
    }
  }

  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> numbers_;
};

}  // namespace

std::shared_ptr<const ParameterSource> checkpoint_source(const std::filesystem::path& folder) {
  if (const auto gguf = folder / kGgufModel; std::filesystem::exists(gguf)) return gguf_source(gguf);
  return std::make_shared<CheckpointSource>(folder);
}

std::shared_ptr<const ParameterSource> random_source(std::uint64_t seed) { return std::make_shared<RandomSource>(seed); }

std::shared_ptr<const ParameterSource> untouched_source() { return std::make_shared<UntouchedSource>(); }

Dtype default_activations() noexcept { return chosen_activations.load(); }

void set_default_activations(Dtype dtype) {
  require_activations(dtype);
  chosen_activations.store(dtype);
}

bool freeze_all(std::string_view) noexcept { return true; }
bool freeze_none(std::string_view) noexcept { return false; }

Parameters::Parameters(std::shared_ptr<const ParameterSource> source, Options options) : source_(std::move(source)), options_(std::move(options)) {
  const Dtype w = options_.weights;
  const bool quantised = is_quantised(w) && block_columns(w) == 1 && w != Dtype::int8_columns;
  require<DtypeError>(w == Dtype::f32 || w == Dtype::bf16 || w == Dtype::f64 || quantised,
                      "weights: {} was given; wanted F32, BF16, INT8_ROWS, INT4_32, INT4_64, NF4_32 or NF4_64", name_of(w));
  require_activations(options_.activations);
  if (options_.activations == Dtype::bf16 && w == Dtype::f32) options_.weights = Dtype::bf16;
}

Tensor Parameters::tensor(std::string_view name, const Dims& dims, ParameterKind kind) {
  if (const auto found = loaded_.find(name); found != loaded_.end()) return found->second;
  require<FileError>(source_->contains(name), "{}: tensor '{}' is missing; wanted {}", source_->where(name), name, to_string(dims));
  const bool frozen = options_.frozen(name);
  const Dtype real = options_.weights == Dtype::f64 ? Dtype::f64 : Dtype::f32;
  const bool matrix = frozen && kind != ParameterKind::vector && dims.size() == 2;
  Tensor tensor = source_->get(name, dims, matrix ? held_type(name, kind, real) : real);
  require<FileError>(tensor.dims() == dims, "{} is {}; wanted {}", source_->where(name), to_string(tensor.dims()), to_string(dims));
  require<FileError>(is_floating(tensor.dtype()) || is_quantised(tensor.dtype()), "{} is {}; wanted a floating type", source_->where(name),
                     name_of(tensor.dtype()));
  tensor = tensor.to(matrix ? held_type(name, kind, tensor.dtype()) : real);
  if (!frozen && !tensor.writable()) tensor = tensor.clone();
  known_.emplace(name);
  loaded_.emplace(name, tensor);
  return tensor;
}

Dtype Parameters::held_type(std::string_view name, ParameterKind kind, Dtype stored) const {
  const Dtype weights = options_.weights;
  if (weights == Dtype::f64) return weights;
  if (options_.in_f32(name)) return Dtype::f32;
  if (is_quantised(stored) || (options_.as_stored && (stored == Dtype::f16 || stored == Dtype::bf16))) return stored;
  return weights == Dtype::int8_rows && kind == ParameterKind::transposed ? Dtype::int8_columns : weights;
}

Value Parameters::operator()(Graph& graph, std::string_view name, const Dims& dims, ParameterKind kind, RowSpaceId rows) {
  if (const Value leaf = graph.leaf(name)) return leaf;
  Tensor held = tensor(name, dims, kind);
  return options_.frozen(name) ? graph.frozen(name, std::move(held), rows) : graph.trainable(name, std::move(held), rows);
}

Dims Parameters::dims(std::string_view name) const {
  require<FileError>(source_->contains(name), "{}: tensor '{}' is missing", source_->where(name), name);
  return source_->get(name, {}, Dtype::f32).dims();
}

void Parameters::warn_of_unknown() const {
  const Numbering layers(std::views::keys(loaded_));
  std::vector<std::string> unknown;
  for (const auto& name : source_->names()) {
    if (known_.contains(name)) continue;
    require<FileError>(!layers.exceeded_by(name), "{}: belongs to a layer that this model does not have; wanted the layers that config.json counts",
                       source_->where(name));
    unknown.push_back(name);
  }
  if (unknown.empty()) return;
  constexpr std::size_t kShown = 4;
  const std::size_t shown = std::min(unknown.size(), kShown);
  const std::string where = source_->where(unknown[0]);
  const std::string more = shown < unknown.size() ? fmt::format(" and {} more", unknown.size() - shown) : "";
  const std::string_view verb = unknown.size() == 1 ? "is" : "are";
  warn(fmt::format("{}: {} of its tensors {} not part of this model and {} ignored: {}{}", where.substr(0, where.find(": '")), unknown.size(),
                   verb, verb, fmt::join(unknown.begin(), unknown.begin() + static_cast<std::ptrdiff_t>(shown), ", "), more));
}

std::uint64_t Parameters::frozen_hash() const {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, tensor] : loaded_) {
    if (options_.frozen(name)) names.insert(name);
  }
  return hash_of(names);
}

std::uint64_t Parameters::hash_of(const std::set<std::string, std::less<>>& names) const {
  std::uint64_t hash = kHashSeed;
  for (const auto& [name, tensor] : loaded_) {
    if (names.contains(name)) hash = hash_words(hash, tensor.data(), tensor.bytes());
  }
  return hash;
}

void Parameters::add_low_rank(const std::string& map, LowRank addition) {
  const bool added = low_ranks_.emplace(map, std::move(addition)).second;
  require<ConfigError>(added, "low rank: a second addition to '{}' was given; wanted one", map);
}

const LowRank* Parameters::low_rank(std::string_view map) const {
  const auto found = low_ranks_.find(map);
  return found == low_ranks_.end() ? nullptr : &found->second;
}

}  // namespace preamble
