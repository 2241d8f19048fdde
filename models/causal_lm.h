// What all decoder-only language models offer to methods, trainers and generators.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "models/language_model.h"
#include "models/prompt_names.h"

namespace preamble {

/// Names of row spaces and inputs of decoder-only graphs.
namespace causal {
inline constexpr std::string_view kTokens = "tokens";              ///< rows: tokens of all sequences
inline constexpr std::string_view kRows = "rows";                  ///< rows: the same with prompts in front, if there are prompts
inline constexpr std::string_view kPromptRows = "rows.prompt";     ///< rows: those that are prompts
inline constexpr std::string_view kLabelled = "rows.labelled";     ///< rows: those whose next token has a label

inline constexpr std::string_view kIds = "ids";                    ///< i32 [tokens]
inline constexpr std::string_view kMergeIndex = "rows_index";      ///< i32 [rows]: operand `index` of merge_rows
inline constexpr std::string_view kPromptIndex = "rows_prompt_index";  ///< i32 [rows.prompt]: its operand `where_b`
inline constexpr std::string_view kTokenIndex = "token_index";     ///< i32 [tokens]: the row of each token
inline constexpr std::string_view kPositions = "positions";        ///< i32 [rows]: rows of the position table
inline constexpr std::string_view kLabelledIndex = "labelled_index";  ///< i32 [rows.labelled]: rows
inline constexpr std::string_view kLabels = "labels";              ///< i32 [rows.labelled]
inline constexpr std::string_view kLossWeight = "loss_weight";     ///< scalar: 1 / labels for the mean
inline constexpr std::string_view kSlots = "slots";                ///< i32 [sequences]: prefix slot of each

/// Inputs of the generation graphs.
inline constexpr std::string_view kPlace = "place";          ///< i32 [rows]: cache row that keeps each row; outside: none
inline constexpr std::string_view kHistory = "history";      ///< i32 [tokens, longest]: cache rows of each row's past
inline constexpr std::string_view kLengths = "lengths";      ///< i32 [tokens]: how many of them, the new one included
inline constexpr std::string_view kRowSlots = "row_slots";   ///< i32 [tokens]: prefix slot of each row

inline constexpr std::string_view kLoss = "loss";      ///< result: scalar
inline constexpr std::string_view kNll = "nll";        ///< result: [rows.labelled] negative log likelihood of each label
inline constexpr std::string_view kLogits = "logits";  ///< result: [tokens, V], in a prefill [rows.labelled, V]

/// The rows with prompts in front.
inline constexpr PromptNames kPrompt = {kRows, kPromptRows, kMergeIndex, kPromptIndex};
}  // namespace causal

/// What a graph of a decoder-only model can hold at most.
struct CausalCapacity {
  std::int64_t sequences = 1;
  std::int64_t tokens = 1;  ///< of all sequences, prompts not counted

  bool operator==(const CausalCapacity&) const = default;
};

/// State of a generation: keys and values of one layer, [cache rows, H·d].
struct KeyValueCache {
  Tensor key, value;
};

class CausalLm : public LanguageModel {
 public:
  /// Output [rows, D], ready for `head`, from the input `ids`. Row space: `rows` with a prompt, else `tokens`.
  virtual Value decode(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity) = 0;
  /// Logits [rows, V] of any rows of that output.
  virtual Value head(Graph& graph, Value hidden) = 0;

  /// Generation, first graph: `decode` that also writes keys and values of each row to `place` in the caches; marks a result for each
  /// cache. Returns the output.
  virtual Value prefill(Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, std::vector<KeyValueCache>& caches) = 0;
  /// Generation, second graph: one token for each of up to `rows` live rows with at most `longest` cache rows of history; returns the
  /// output [tokens, D].
  virtual Value step(Graph& graph, const Conditioning& conditioning, std::int64_t rows, std::int64_t longest, std::vector<KeyValueCache>& caches) = 0;
};

/// Adds the losses of the labelled rows to a graph: results `loss` and `nll`. Inputs as in causal.
void add_loss(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, double z_loss = 0);
/// Adds the logits of all tokens: result `logits`; with `loss` the results of `add_loss` too.
void add_logits(CausalLm& model, Graph& graph, const Conditioning& conditioning, const CausalCapacity& capacity, bool loss);

}  // namespace preamble
