// config.json of a BERT, RoBERTa, XLM-RoBERTa, DistilBERT or ELECTRA folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/encoder_sizes.h"

namespace preamble {

/// What the members of the family differ in: names, heads, positions and token types.
enum class BertFamily : std::uint8_t {
  bert,        ///< Devlin et al. 2019
  roberta,     ///< Liu et al. 2019; XLM-RoBERTa (Conneau et al. 2020) is one with another vocabulary
  distilbert,  ///< Sanh et al. 2019: no token types, no pooler
  electra,     ///< Clark et al. 2020: embeddings of another width are projected
};

/// Shape and constants. The defaults are bert-base-uncased.
struct BertConfig : EncoderSizes {
  BertFamily family = BertFamily::bert;
  ActivationKind summary_activation = ActivationKind::gelu;  ///< behind the map in front of a choice's score (ELECTRA)

  /// Rows of the position table in front of position 0.
  [[nodiscard]] std::int64_t position_offset() const noexcept { return family == BertFamily::roberta ? pad_token_id + 1 : 0; }

  /// Throws FileError for missing or senseless fields, UnsupportedError for decoders, relative positions and another model_type than bert,
  /// roberta, xlm-roberta, distilbert and electra.
  [[nodiscard]] static BertConfig read(const JsonFile& json);
  /// The shape of that name. Throws ConfigError that lists `published_names`.
  [[nodiscard]] static BertConfig published(const std::string& name);
  /// Names of the family of `model_type`: `bert-base`, `bert-large`.
  [[nodiscard]] static std::vector<std::string> published_names(std::string_view model_type);
};

}  // namespace preamble
