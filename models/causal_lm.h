// What all decoder-only language models offer to methods, trainers and generators.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "models/key_value_cache.h"
#include "models/language_model.h"
#include "models/prompt_names.h"

namespace preamble {

/// Names of row spaces and inputs of decoder-only graphs.
namespace causal {
inline constexpr std::string_view kTokens = "tokens";              ///< rows: tokens of all sequences, where an infix leaves them
inline constexpr std::string_view kRows = "rows";                  ///< rows: tokens, with an infix inside each sequence
inline constexpr std::string_view kInfixRows = "rows.infix";       ///< subset of `rows`: those of an infix
inline constexpr std::string_view kTokenRows = "rows.tokens";      ///< subset of `rows`: tokens beside an infix of embeddings
/// Subset of the rows of tokens: those whose next token has a label. The first one also stands for the last row of a prompt.
inline constexpr std::string_view kLabelled = "rows.labelled";

inline constexpr std::string_view kIds = "ids";                    ///< i32 [tokens]
inline constexpr std::string_view kPositions = "positions";        ///< i32 [tokens], or [rows] of embeddings: of the position table
inline constexpr std::string_view kPromptPositions = "prompt_positions";  ///< i32 [rows of the prompts]: the same
inline constexpr std::string_view kRowIndex = "row_index";                ///< i32 [rows]: operand `index` of merge_rows
inline constexpr std::string_view kLabelledMerge = "labelled_merge";  ///< i32 [rows.labelled]: its own number, or -1 - a prompt's row
inline constexpr std::string_view kLabels = "labels";              ///< i32 [rows.labelled]
inline constexpr std::string_view kLabelWeights = "label_weights";  ///< one for each label, instead of it
inline constexpr std::string_view kLossWeight = "loss_weight";     ///< scalar: 1 / labels for the mean
inline constexpr std::string_view kSlots = "slots";                ///< i32 [sequences]: prefix slot of each

inline constexpr std::string_view kLoss = "loss";      ///< result: scalar
inline constexpr std::string_view kNll = "nll";        ///< result: [rows.labelled] negative log likelihood of each label
inline constexpr std::string_view kLogits = "logits";  ///< result: [tokens or rows.tokens, V]

inline constexpr PromptNames kInfix = {kRows, kInfixRows, kRowIndex};
}  // namespace causal

/// What a graph of a decoder-only model can hold at most.
struct CausalCapacity {
  std::int64_t sequences = 1;
  std::int64_t tokens = 1;  ///< of all sequences, prompts not counted
  std::int64_t rows = 0;    ///< of all sequences with an infix of embeddings; 0: as many as both can have

  bool operator==(const CausalCapacity&) const = default;
};

/// A prompt in a model whose rows see only what is in front of them: its rows are the same in front of every sequence, so that one pass
/// over the rows of each slot gives all that sequences need of them.
struct PromptPass {
  SitePrefix prefix;  ///< what the sequences attend to
  Value output;       ///< [rows of the prompts, D], ready for `head`: the last row of a slot predicts the first token
};

class CausalLm : public LanguageModel {
 public:
  /// Runs the rows of a prompt. Inputs: `prompt_positions`. All sequences of a slot see one mask of dropout there.
  virtual PromptPass read_prompt(Graph& graph, const PromptRows& prompt, const DropoutRates& dropout) = 0;

  // The conditioning of the other graphs has prefixes, or an infix, be it of embeddings or of keys and values: see `with_prompt_read`.

  /// Output [tokens, D], or [rows.tokens, D] with an infix of embeddings, ready for `head`, from the input `ids`.
  virtual Value decode(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity) = 0;
  /// Logits [rows, V] of any rows of that output.
  virtual Value head(Graph& graph, Value hidden) = 0;

  /// Generation, first graph: `decode` that also writes keys and values of each token to the rows `step_inputs::kCacheRow` of the caches,
  /// and marks a result for each cache. Returns the output.
  virtual Value prefill(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, std::vector<KeyValueCache>& caches) = 0;
  /// Generation, second graph: one token for each of up to `rows` live rows with at most `longest` cache rows of history; returns the
  /// output [tokens, D]. Inputs: `step_inputs`.
  virtual Value step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest, std::vector<KeyValueCache>& caches) = 0;
};

/// The conditioning whose prompt, if one stands in front, is the prefix that it amounts to, and the prompt's output (else undefined).
/// Throws UnsupportedError for a prompt together with a prefix.
struct ReadConditioning {
  Conditioning conditioning;
  Value prompt_output;
};
[[nodiscard]] ReadConditioning with_prompt_read(CausalLm& model, Graph& graph, const Conditioning& conditioning);
/// What the tokens behind a prompt or infix see of it, without a graph: slots, layers and positions, no values. An infix of embeddings
/// adds nothing: its rows belong to the sequences.
[[nodiscard]] Conditioning prompt_as_prefix(const LanguageModel& model, const Conditioning& conditioning);

/// Adds the losses of the labelled rows to a graph: results `loss` and `nll`. Inputs as in causal.
void add_loss(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, double z_loss = 0,
              bool weighs_labels = false);
/// Adds the logits of all tokens: result `logits`; with `loss` the results of `add_loss` too.
void add_logits(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, bool loss);

}  // namespace preamble
