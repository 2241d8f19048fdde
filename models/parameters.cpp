#include "models/parameters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <iterator>
#include <utility>

#include "data/tensor_archive.h"
#include "engine/core/error.h"
#include "engine/core/hash.h"
#include "engine/core/parallel.h"

namespace preamble {
namespace {

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

}  // namespace

std::shared_ptr<const ParameterSource> checkpoint_source(const std::filesystem::path& folder) {
  return std::make_shared<CheckpointSource>(folder);
}

std::shared_ptr<const ParameterSource> random_source(std::uint64_t seed) { return std::make_shared<RandomSource>(seed); }

std::shared_ptr<const ParameterSource> untouched_source() { return std::make_shared<UntouchedSource>(); }

bool freeze_all(std::string_view) noexcept { return true; }
bool freeze_none(std::string_view) noexcept { return false; }

Parameters::Parameters(std::shared_ptr<const ParameterSource> source, Options options) : source_(std::move(source)), options_(std::move(options)) {
  const Dtype w = options_.weights;
  require<DtypeError>(w == Dtype::f32 || w == Dtype::bf16 || w == Dtype::f64, "weights: {} was given; wanted F32 or BF16", name_of(w));
}

Tensor Parameters::tensor(std::string_view name, const Dims& dims, ParameterKind kind) {
  if (const auto found = loaded_.find(name); found != loaded_.end()) return found->second;
  require<FileError>(source_->contains(name), "{}: tensor '{}' is missing; wanted {}", source_->where(name), name, to_string(dims));
  const bool frozen = options_.frozen(name);
  const Dtype real = options_.weights == Dtype::f64 ? Dtype::f64 : Dtype::f32;
  const Dtype wanted = frozen && kind == ParameterKind::matrix ? options_.weights : real;
  Tensor tensor = source_->get(name, dims, wanted);
  require<FileError>(tensor.dims() == dims, "{} is {}; wanted {}", source_->where(name), to_string(tensor.dims()), to_string(dims));
  require<FileError>(is_floating(tensor.dtype()), "{} is {}; wanted a floating type", source_->where(name), name_of(tensor.dtype()));
  tensor = tensor.to(wanted);
  if (!frozen && !tensor.writable()) tensor = tensor.clone();
  known_.emplace(name);
  loaded_.emplace(name, tensor);
  return tensor;
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

void Parameters::require_all_known() const {
  std::vector<std::string> unknown;
  for (const auto& name : source_->names()) {
    if (!known_.contains(name)) unknown.push_back(name);
  }
  if (unknown.empty()) return;
  const std::size_t shown = std::min<std::size_t>(unknown.size(), 8);
  raise<FileError>("{}: this architecture has no such tensor; {} in all: {}{}", source_->where(unknown[0]), unknown.size(),
                   fmt::join(unknown.begin(), unknown.begin() + static_cast<std::ptrdiff_t>(shown), ", "), shown < unknown.size() ? ", ..." : "");
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

}  // namespace preamble
