// What follows from a batch: derived once, fed to any number of runs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/runtime/session.h"
#include "models/conditioning.h"
#include "models/feeding.h"
#include "models/language_model.h"
#include "models/prompt_names.h"

namespace preamble {

/// What each label of a batch counts in the loss.
struct LabelWeights {
  double all = 1;
  /// Of the labels of each sequence, instead of it, where the graph weighs labels by themselves. Empty: `all`.
  std::vector<double> of_sequences = {};
};

/// Counts of a batch, and its layouts, indices and inputs in the order in which a session takes them. What a program lacks is left out when
/// it is fed: passes may have found it useless.
class BatchInputs {
 public:
  using Feed = std::function<void(Session&, const LabelWeights&)>;

  /// Adds something that a run is fed with, behind all that was added before.
  void add(Feed feed) { feeds_.push_back(std::move(feed)); }
  /// The layout of a row space (`Session::rows`).
  void rows(std::string_view space, Segments segments);
  /// The index of a subset (`Session::select`).
  void select(std::string_view subset, Ids index);
  /// The values of an input (`feed_input`), or those of its front (`feed_front`).
  void input(std::string_view name, Ids values);
  void front(std::string_view name, Ids values);
  /// The weights of labels, one after the other: `each`, if the graph weighs labels by themselves, else `shared`. `sequences`: whose each
  /// label is.
  void weights(std::string_view each, std::string_view shared, Ids sequences);
  void count(std::int64_t rows, std::vector<std::int64_t> labels);

  /// Sets layouts and inputs of the next run. Throws ShapeError if the batch exceeds the program's capacity.
  void feed(Session& session, const LabelWeights& weights = {}) const;

  /// Rows that are computed in all stacks, prompts included.
  [[nodiscard]] std::int64_t computed_rows() const noexcept { return computed_rows_; }
  /// Labels of each sequence (of an encoder-decoder: of each target).
  [[nodiscard]] const std::vector<std::int64_t>& label_counts() const noexcept { return label_counts_; }
  [[nodiscard]] std::int64_t labels() const noexcept;

 private:
  std::vector<Feed> feeds_;
  std::int64_t computed_rows_ = 0;
  std::vector<std::int64_t> label_counts_;
};

// What batches of several families have in common.

/// Throws ConfigError for a slot that a prompt or prefix does not have.
void check_slots(std::size_t sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning);
/// The ids of all sequences. Throws ConfigError in the name of `what` for an id that the vocabulary does not have.
[[nodiscard]] Ids checked_ids(std::span<const Ids> sequences, std::int64_t vocabulary, std::string_view what);
/// Rows of the position table for all rows of a layout; the first row of segment s has position shifts[s]. Throws ShapeError behind the
/// table's end.
[[nodiscard]] Ids position_rows(const Segments& rows, std::span<const std::int32_t> shifts, const PositionTable& table);
/// The same as an input. Nothing for a model without a table.
void add_positions(BatchInputs& inputs, std::string_view name, const Segments& rows, std::span<const std::int32_t> shifts,
                   const PositionTable& table);
/// Layout and indices of sequences with the rows of a slot inside each, in front of token at[i] (empty: of the first one): see `with_rows`.
void add_inserted(BatchInputs& inputs, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const SlotSpace& space,
                  std::span<const std::int32_t> at, const PromptNames& names);
/// The same for prompts in front, if there are prompts.
void add_prompt(BatchInputs& inputs, std::span<const Ids> sequences, std::span<const std::int32_t> slots, const Conditioning& conditioning,
                const PromptNames& names);
/// Layouts of the prefixes.
void add_prefixes(BatchInputs& inputs, const Conditioning& conditioning);
/// The same, to a session at once.
void feed_prefixes(Session& session, const Conditioning& conditioning);

}  // namespace preamble
