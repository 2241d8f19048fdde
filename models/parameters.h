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

/// The tensors of a Hugging Face folder: safetensors or pytorch_model.bin, whole or in shards; or of the GGUF file that `import_gguf` has linked to.
/// Throws FileError.
[[nodiscard]] std::shared_ptr<const ParameterSource> checkpoint_source(const std::filesystem::path& folder);

/// Random weights of a plausible scale, the same for the same name and seed: for benchmarks and `explain`.
[[nodiscard]] std::shared_ptr<const ParameterSource> random_source(std::uint64_t seed);

/// Zeros in pages that are never touched: for programs that are planned but not run.
[[nodiscard]] std::shared_ptr<const ParameterSource> untouched_source();

/// What a parameter is used for: decides the type in which it may be held.
enum class ParameterKind : std::uint8_t {
  matrix,      ///< of a linear map [out, in] or an embedding: may be held in bf16 or a quantised type
  transposed,  ///< of a linear map [in, out]: the same, with columns as output channels
  vector,      ///< norm scales, biases, small tables: always in the graph's real type
};

/// Type of activations of models whose options name none: F32 unless it is set, before any model is opened. Throws DtypeError for another
/// type than F32 and BF16.
[[nodiscard]] Dtype default_activations() noexcept;
void set_default_activations(Dtype dtype);

/// Tells by its name whether a parameter has some property, as to be frozen.
using Freeze = std::function<bool(std::string_view name)>;
/// Every parameter frozen, or none.
[[nodiscard]] bool freeze_all(std::string_view name) noexcept;
[[nodiscard]] bool freeze_none(std::string_view name) noexcept;

/// A low-rank addition to a linear map y = W x + b of the checkpoint (LoRA: Hu et al. 2021, eq. 3):  y = W x + b + scale · B (A x).
struct LowRank {
  Tensor a;                    ///< [r, K]
  Tensor b;                    ///< [N, r]
  double scale = 1;            ///< alpha / r, or alpha / √r
  double dropout = 0;          ///< rate of dropout of x in front of A, in graphs for training
  std::string leaf_a, leaf_b;  ///< names of the trainable leaves
};

/// A linear map as graphs have used it: from rows of `in` elements to rows of `out`.
struct LinearMap {
  std::int64_t in = 0, out = 0;
  bool transposed = false;  ///< the weight is [in, out] (Conv1D)

  bool operator==(const LinearMap&) const = default;
};

/// Loads each parameter once and declares it in any number of graphs, which then share its memory.
class Parameters {
 public:
  struct Options {
    /// How frozen matrices are held: F32, BF16, a type that `quantise` makes (INT8_ROWS means output channels: columns of a transposed
    /// matrix), or F64 for double-precision graphs. Computation is in the graph's type. Matrices are converted one by one when they are
    /// loaded; those that are quantised in the checkpoint stay as they are, unless F64 is wanted.
    Dtype weights = Dtype::f32;
    /// Matrices that the checkpoint holds in F16 or BF16 stay in that type, too.
    bool as_stored = false;
    /// Matrices that are held in F32 whatever else is said.
    Freeze in_f32 = freeze_none;
    /// What activations are computed in: F32 or BF16; then frozen matrices are held in BF16, too. With weights in F64 it is F64.
    Dtype activations = default_activations();
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

  /// Notes that a graph uses `name.weight` as a linear map, so that methods find maps by their names.
  void note_map(std::string_view name, const LinearMap& map) { maps_.emplace(name, map); }
  /// Linear maps of the graphs so far, by name without `.weight`.
  [[nodiscard]] const std::map<std::string, LinearMap, std::less<>>& maps() const noexcept { return maps_; }
  /// Adds to a map in all graphs from now on; the tensors are shared. Throws ConfigError for a map that has an addition.
  void add_low_rank(const std::string& map, LowRank addition);
  /// The addition to a map, or null.
  [[nodiscard]] const LowRank* low_rank(std::string_view map) const;
  [[nodiscard]] const std::map<std::string, LowRank, std::less<>>& low_ranks() const noexcept { return low_ranks_; }

  /// Marks a name of the source as known though no graph needs it: `warn_of_unknown` does not mention it.
  void tolerate(std::string_view name) { known_.emplace(name); }
  /// Was the name loaded or tolerated?
  [[nodiscard]] bool knows(std::string_view name) const { return known_.contains(name); }
  /// Warns once of the names of the source that nobody has loaded or tolerated: other classes' heads, buffers of old versions. A few are
  /// named, the rest counted. Throws FileError if one of them belongs to a layer beyond those that are loaded: its number stands where
  /// loaded names have other numbers (`h.2.` where `h.0.` and `h.1.` are known), so that config.json and checkpoint disagree.
  void warn_of_unknown() const;

  /// Loaded tensors by name.
  [[nodiscard]] const std::map<std::string, Tensor, std::less<>>& loaded() const noexcept { return loaded_; }
  [[nodiscard]] bool is_frozen(std::string_view name) const { return options_.frozen(name); }
  /// Changes with any bit of the frozen tensors: `hash_words` of them, in the order of their names.
  [[nodiscard]] std::uint64_t frozen_hash() const;
  /// The same of those loaded tensors whose names are given.
  [[nodiscard]] std::uint64_t hash_of(const std::set<std::string, std::less<>>& names) const;
  /// The type of a frozen matrix that the source holds in `stored`.
  [[nodiscard]] Dtype held_type(std::string_view name, ParameterKind kind, Dtype stored) const;
  [[nodiscard]] Dtype weights() const noexcept { return options_.weights; }
  /// What activations are computed in.
  [[nodiscard]] Dtype activations() const noexcept { return options_.weights == Dtype::f64 ? Dtype::f64 : options_.activations; }
  /// An empty graph of that type.
  [[nodiscard]] Graph graph() const { return Graph(activations()); }

 private:
  std::shared_ptr<const ParameterSource> source_;
  Options options_;
  std::map<std::string, Tensor, std::less<>> loaded_;
  std::set<std::string, std::less<>> known_;
  std::map<std::string, LinearMap, std::less<>> maps_;
  std::map<std::string, LowRank, std::less<>> low_ranks_;
};

}  // namespace preamble
