// What all encoder-only models offer to methods, heads and trainers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/graph/graph.h"
#include "engine/ops/activation.h"
#include "models/blank_filling.h"
#include "models/language_model.h"
#include "models/prompt_names.h"

namespace preamble {

/// Names of row spaces and inputs of encoder-only graphs.
namespace encoder {
inline constexpr std::string_view kTokens = "tokens";           ///< rows: tokens of all sequences
inline constexpr std::string_view kRows = "rows";               ///< rows: the same with prompts in front, if there are prompts
inline constexpr std::string_view kPromptRows = "rows.prompt";  ///< subset of `rows`: those of prompts
inline constexpr std::string_view kTokenRows = "rows.tokens";   ///< subset of `rows`: those of tokens, where features are read
inline constexpr std::string_view kDistances = "distances";     ///< rows: those of a table of relative positions

inline constexpr std::string_view kIds = "ids";                        ///< i32 [tokens]
inline constexpr std::string_view kMergeIndex = "rows_index";          ///< i32 [rows]: operand `index` of merge_rows
inline constexpr std::string_view kTokenTypes = "token_types";         ///< i32 [rows]: rows of the table of token types; prompts: 0
inline constexpr std::string_view kPositions = "positions";            ///< i32 [rows]: rows of the position table
inline constexpr std::string_view kSlots = "slots";                    ///< i32 [sequences]: prefix slot of each
inline constexpr std::string_view kBlockPositions = "block_positions";  ///< i32 [rows]: rows of the table of positions inside pieces
inline constexpr std::string_view kContexts = "contexts";              ///< i32 [sequences]: rows that all rows of the sequence see

/// The rows with prompts in front.
inline constexpr PromptNames kPrompt = {kRows, kPromptRows, kMergeIndex};
}  // namespace encoder

/// What a graph of an encoder can hold at most.
struct EncoderCapacity {
  std::int64_t sequences = 1;
  std::int64_t tokens = 1;  ///< of all sequences, prompts not counted
  std::int64_t rows = 0;    ///< of all sequences with their prompts; 0: as many as both can have

  bool operator==(const EncoderCapacity&) const = default;
};

/// What the ids, types and lengths of a batch are checked against.
struct EncoderLimits {
  InputLimits inputs;
  std::int64_t token_types = 0;
  bool uses_token_types = true;  ///< false: those of a batch count as 0
  std::optional<BlankFilling> blanks = {};  ///< of a model that fills blanks
  Site site = Site::encoder_self;           ///< whose prefixes may shift positions
};

/// Which row a sequence's head reads.
enum class Pooling : std::uint8_t {
  first_token,  ///< [CLS], wherever the prompt ends
  first_row,    ///< the first virtual token, if there is a prompt: PEFT's PROMPT_TUNING and P_TUNING
  piece_start,  ///< the token that begins the first piece (GLM's pool_token `start`)
  context_end,  ///< the last token of part A (`pad`)
  last_token    ///< of a decoder-only model
};

/// One linear map [N, K] of a head. All but the last are [D, D].
struct HeadLayer {
  std::string name;                                    ///< as in PEFT's files, behind `base_model.`: `classifier.out_proj`
  std::string checkpoint;                              ///< as in checkpoints: `bert.pooler.dense`
  std::optional<ActivationKind> activation = {};       ///< applied behind the map
  bool in_backbone = false;                            ///< pretrained: a new head takes it from the checkpoint and leaves it frozen
  bool dropped = true;                                 ///< its input has dropout
  bool has_bias = true;
};

class EncoderModel : public LanguageModel {
 public:
  [[nodiscard]] Site prefix_site() const noexcept override { return Site::encoder_self; }
  /// Rows of the table of token types; 0: the model has none.
  [[nodiscard]] virtual std::int64_t token_types() const noexcept = 0;
  /// Of a model that fills blanks what it has for them, else null.
  [[nodiscard]] virtual const BlankFilling* blanks() const noexcept { return nullptr; }
  /// Which row heads of sequences read where nothing else says it.
  [[nodiscard]] virtual Pooling pooling() const { return Pooling::first_token; }
  [[nodiscard]] EncoderLimits encoder_limits() const {
    return {limits(), token_types(), true, blanks() != nullptr ? std::optional(*blanks()) : std::nullopt, prefix_site()};
  }

  /// Output [rows, D] from the inputs `ids`, `token_types` and `positions`. Row space: `rows` with a prompt, else `tokens`.
  virtual Value encode(Graph& graph, const Conditioning& conditioning, const EncoderCapacity& capacity) = 0;
  /// Logits [rows, words] of these words, or [rows, V] of all if there are none, of any rows of that output. Throws FileError if the
  /// checkpoint has no such head.
  virtual Value mlm_logits(Graph& graph, Value hidden, std::span<const std::int32_t> words) = 0;
  Value mlm_head(Graph& graph, Value hidden) { return mlm_logits(graph, hidden, {}); }
  /// The map and activation from the output at a sequence's first row to what a classifier of the sequence reads.
  [[nodiscard]] virtual HeadLayer pooler() const = 0;
  /// From the output at a sequence's first row to the logits of classes, as transformers' class has it: pooler and classifier, unless a
  /// model has another one.
  [[nodiscard]] virtual std::vector<HeadLayer> sequence_head() const {
    return {pooler(), {.name = "classifier", .checkpoint = "classifier"}};
  }
  /// From the output at a token to the logits of its classes.
  [[nodiscard]] virtual HeadLayer token_head() const { return {.name = "classifier", .checkpoint = "classifier"}; }
  /// From the output at a token to the scores of start and end.
  [[nodiscard]] virtual HeadLayer span_head() const { return {.name = "qa_outputs", .checkpoint = "qa_outputs", .dropped = false}; }
};

}  // namespace preamble
