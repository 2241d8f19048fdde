// What all encoder-decoder language models offer to methods, trainers and generators.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/graph/graph.h"
#include "models/key_value_cache.h"
#include "models/language_model.h"
#include "models/prompt_names.h"

namespace preamble {

/// Names of row spaces and inputs of encoder-decoder graphs.
namespace seq2seq {
inline constexpr std::string_view kSource = "source";                  ///< rows: tokens of the encoder's input
inline constexpr std::string_view kEncoder = "encoder";                ///< rows: the same with prompts in front
inline constexpr std::string_view kPromptRows = "encoder.prompt";      ///< subset of `encoder`: the rows of prompts
inline constexpr std::string_view kDecoder = "decoder";                ///< rows: tokens of the decoder's input
inline constexpr std::string_view kLabelled = "decoder.labelled";      ///< subset of `decoder`: the rows that have a label

inline constexpr std::string_view kSourceIds = "source_ids";           ///< i32 [source]
inline constexpr std::string_view kMergeIndex = "encoder_index";       ///< i32 [encoder]: operand `index` of merge_rows
inline constexpr std::string_view kEncoderPositions = "encoder_positions";  ///< i32 [encoder]: rows of the position table
inline constexpr std::string_view kDecoderIds = "decoder_ids";         ///< i32 [decoder]
inline constexpr std::string_view kDecoderPositions = "decoder_positions";  ///< i32 [decoder]: rows of the position table
inline constexpr std::string_view kLabels = "labels";                  ///< i32 [decoder.labelled]
inline constexpr std::string_view kLossWeight = "loss_weight";         ///< scalar: 1 / labels for the mean
inline constexpr std::string_view kLabelWeights = "label_weights";  ///< [decoder.labelled]: instead of it, a weight for each label
inline constexpr std::string_view kEncoderSlots = "encoder_slots";     ///< i32 [sequences]: prefix slot of each source
inline constexpr std::string_view kDecoderSlots = "decoder_slots";     ///< i32 [targets]: prefix slot of each target
inline constexpr std::string_view kTargetSource = "target_source";     ///< i32 [targets]: which source a target belongs to
inline constexpr std::string_view kEncoderRows = "encoder_rows";       ///< i32 [encoder]: 0, 1, ... (first graph of a generation)

/// The encoder's rows with prompts in front.
inline constexpr PromptNames kPrompt = {kEncoder, kPromptRows, kMergeIndex};

inline constexpr std::string_view kLoss = "loss";      ///< result: scalar
inline constexpr std::string_view kNll = "nll";        ///< result: [decoder.labelled] negative log likelihood of each label
inline constexpr std::string_view kLogits = "logits";  ///< result: [decoder, V]
}  // namespace seq2seq

/// What a graph of an encoder-decoder can hold at most.
struct Seq2SeqCapacity {
  std::int64_t sequences = 1;
  std::int64_t source_rows = 1;
  std::int64_t target_rows = 1;
  /// Targets, where a source may have several (scoring candidates); 0: one for each source, and no `target_source`.
  std::int64_t targets = 0;
  std::int64_t encoder_rows = 0;  ///< of all sources with their prompts; 0: as many as both can have

  [[nodiscard]] std::int64_t target_segments() const noexcept { return targets > 0 ? targets : sequences; }
  bool operator==(const Seq2SeqCapacity&) const = default;
};

/// State of a generation that the step graph reads: keys and values of one decoder layer.
struct LayerCache {
  KeyValueCache self;   ///< of the decoder's own rows
  KeyValueCache cross;  ///< of the encoder's rows
};

class EncoderDecoder : public LanguageModel {
 public:
  [[nodiscard]] virtual std::int32_t pad_id() const noexcept = 0;
  [[nodiscard]] virtual std::int32_t decoder_start_id() const noexcept = 0;

  /// Encoder output [rows(encoder), D] from the input `source_ids`.
  virtual Value encode(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) = 0;
  /// Decoder output [rows(decoder), D], ready for `head`, from the input `decoder_ids`.
  virtual Value decode(Graph& graph, Value encoded, const Conditioning& conditioning, const Seq2SeqCapacity& capacity) = 0;
  /// Logits [rows, V] of any rows of the decoder's output.
  virtual Value head(Graph& graph, Value hidden) = 0;

  /// Generation, first graph: writes keys and values of the encoder's output into the caches and marks the result
  /// `encoded` that depends on all of them.
  virtual void prefill(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::vector<LayerCache>& caches) = 0;
  /// Generation, second graph: one token for each live row; marks the result `logits` [rows(decoder), V]. Segments of
  /// `decoder` are sources with live rows; the inputs are `step_inputs`.
  virtual void step(Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, std::int64_t longest,
                    std::vector<LayerCache>& caches) = 0;
};

/// Adds the losses of the labelled rows to a graph: results `loss` and `nll`. Inputs as in seq2seq; with `weighs_labels` each label has its
/// own weight.
void add_loss(EncoderDecoder& model, Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, double z_loss = 0,
              bool weighs_labels = false);
/// Adds the logits of all decoder rows: result `logits`; with `loss` the results of `add_loss` too.
void add_logits(EncoderDecoder& model, Graph& graph, const Conditioning& conditioning, const Seq2SeqCapacity& capacity, bool loss);

}  // namespace preamble
