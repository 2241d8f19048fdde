// What to keep for the backward pass and what to compute again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/backend/backend.h"
#include "engine/graph/graph.h"
#include "engine/ops/kept_form.h"

namespace preamble {

/// How much memory a program may take for its activations.
struct Budget {
  enum class Kind : std::uint8_t { automatic, none, smallest, bytes };

  Kind kind = Kind::automatic;
  std::int64_t limit = 0;
  /// The form in which activations may be kept for the backward pass, beside being computed again. Values of the forward pass are what they
  /// are without it; gradients are those of the rounded values.
  KeptForm kept = KeptForm::exact;

  /// Recompute only what is nearly free: at most 5 % more operations, and only where that saves as many percent of the run's
  /// memory (frozen weights, trained ones with two moments, activations).
  [[nodiscard]] static Budget automatic() noexcept { return {}; }
  /// Recompute nothing.
  [[nodiscard]] static Budget none() noexcept { return {Kind::none}; }
  /// The smallest peak that recomputation can reach; where a little more memory (about 1 % of the run's) saves operations, that.
  [[nodiscard]] static Budget smallest() noexcept { return {Kind::smallest}; }
  /// At most this many bytes of arena, with as few extra operations as possible.
  [[nodiscard]] static Budget bytes(std::int64_t limit) noexcept { return {Kind::bytes, limit}; }
  /// `auto`, `none`, `min`, or a number of bytes with an optional suffix K, M, G (powers of 1024). Throws ConfigError.
  [[nodiscard]] static Budget parse(const std::string& text);
  /// The same with `exact`, `bf16` or `int8` for the form of kept values. Throws ConfigError.
  [[nodiscard]] static Budget parse(const std::string& text, const std::string& kept);
};

/// Copy of a differentiated graph in which the backward pass reads recomputed copies of forward values.
///
/// A forward value is either kept or computed again before a reader in the backward pass, from kept values and leaves.
/// Candidates, from cheap to dear: (a) results of cheap ops whose operands are kept anyway; (b) besides, single values in
/// ascending order of operations per byte; (c) everything but the values that cross chosen points of the forward pass, where
/// least is alive: the layer boundaries (Chen et al. 2016, arXiv 1604.06174), with recomputed values alive until their last
/// reader or made anew for each. Each candidate's peak is the one of the schedule that it gives. `automatic` takes (a), and of
/// (b) what is nearly free; a limit takes the candidate with the fewest operations that fits.
/// Where kept values may be reduced (`Budget::kept`, `reduced_forms`), each candidate is judged a second time with its kept values packed where
/// they are made and unpacked in front of their readers; `none` packs all of them, `automatic` where that makes the peak smaller.
/// Throws ConfigError, with the smallest possible peak, if the limit cannot be met.
[[nodiscard]] Graph rematerialise(const Graph& graph, Budget budget, const Backend& backend);

}  // namespace preamble
