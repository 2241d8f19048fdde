// The weights of one model: where they come from, in which type they are held, and which of them are trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"

namespace preamble {

/// Delivers tensors by their checkpoint names.
class ParameterSource {
 public:
  ParameterSource() = default;
  ParameterSource(const ParameterSource&) = delete;
  ParameterSource& operator=(const ParameterSource&) = delete;
  virtual ~ParameterSource() = default;

  [[nodiscard]] virtual bool contains(std::string_view name) const = 0;
  /// The tensor of that name. A source that makes tensors up gives it these dimensions and this type; one that reads them
  /// returns them as they are. Throws FileError.
  [[nodiscard]] virtual Tensor get(std::string_view name, const Dims& dims, Dtype dtype) const = 0;
  /// For messages: `FILE: 'NAME'`, or the folder if there is no such tensor.
  [[nodiscard]] virtual std::string where(std::string_view name) const = 0;
  /// Names that the source holds; empty if it makes tensors up.
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;
};

/// The tensors of a Hugging Face folder: safetensors or pytorch_model.bin, whole or in shards. Throws FileError.
[[nodiscard]] std::shared_ptr<const ParameterSource> checkpoint_source(const std::filesystem::path& folder);

/// Random weights of a plausible scale, the same for the same name and seed: for benchmarks and `explain`.
[[nodiscard]] std::shared_ptr<const ParameterSource> random_source(std::uint64_t seed);

/// Zeros in pages that are never touched: for programs that are planned but not run.
[[nodiscard]] std::shared_ptr<const ParameterSource> untouched_source();

/// What a parameter is used for: decides the type in which it may be held.
enum class ParameterKind : std::uint8_t {
  matrix,  ///< of a linear map or an embedding: may be held in bf16
  vector,  ///< norm scales, biases, small tables: always in the graph's real type
};

/// Says which parameters are trained.
using Freeze = std::function<bool(std::string_view name)>;
/// Every parameter frozen, or none.
[[nodiscard]] bool freeze_all(std::string_view name) noexcept;
[[nodiscard]] bool freeze_none(std::string_view name) noexcept;

/// Loads each parameter once and declares it in any number of graphs, which then share its memory.
class Parameters {
 public:
  struct Options {
    /// How frozen matrices are held: F32, BF16, or F64 for double-precision graphs. Computation is in the graph's type.
    Dtype weights = Dtype::f32;
    Freeze frozen = freeze_all;
  };

  Parameters(std::shared_ptr<const ParameterSource> source, Options options);

  [[nodiscard]] bool contains(std::string_view name) const { return source_->contains(name); }

  /// The leaf of that name, declared in `graph` if it is not there yet. Frozen tensors that are in the right type already
  /// stay mapped; trained ones are owned copies. A table whose rows are a row space of the graph names it in `rows`. Throws FileError for
  /// a missing tensor or other dimensions, naming the file.
  Value operator()(Graph& graph, std::string_view name, const Dims& dims, ParameterKind kind, RowSpaceId rows = kNoRows);

  /// The tensor as loaded by an earlier declaration or now.
  [[nodiscard]] Tensor tensor(std::string_view name, const Dims& dims, ParameterKind kind);

  /// Dimensions of a tensor of the source. Throws FileError for a missing one.
  [[nodiscard]] Dims dims(std::string_view name) const;
  /// For messages: see ParameterSource.
  [[nodiscard]] std::string where(std::string_view name) const { return source_->where(name); }
  /// Names that the source holds; empty if it makes tensors up.
  [[nodiscard]] std::vector<std::string> names() const { return source_->names(); }

  /// Tells a strict reader that a name of the source is known though no graph needs it.
  void tolerate(std::string_view name) { known_.emplace(name); }
  /// Throws FileError that lists the names of the source that nobody asked for or tolerated.
  void require_all_known() const;

  /// Loaded tensors by name.
  [[nodiscard]] const std::map<std::string, Tensor, std::less<>>& loaded() const noexcept { return loaded_; }
  [[nodiscard]] bool is_frozen(std::string_view name) const { return options_.frozen(name); }
  /// Changes with any bit of the frozen tensors: `hash_words` of them, in the order of their names.
  [[nodiscard]] std::uint64_t frozen_hash() const;
  /// The same of those loaded tensors whose names are given.
  [[nodiscard]] std::uint64_t hash_of(const std::set<std::string, std::less<>>& names) const;
  [[nodiscard]] Dtype weights() const noexcept { return options_.weights; }

 private:
  std::shared_ptr<const ParameterSource> source_;
  Options options_;
  std::map<std::string, Tensor, std::less<>> loaded_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace preamble
