#include <optional>
#include <utility>

#include "data/text_file.h"
#include "data/tokenizers/blank_tokens.h"
#include "data/tokenizers/families.h"
#include "data/tokenizers/models/wordpiece.h"
#include "data/tokenizers/normalizers/bert.h"
#include "data/tokenizers/pre_tokenizers/splits.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {

std::unique_ptr<Tokenizer> load_wordpiece(const std::filesystem::path& path, const TokenizerConfig& config) {
  const std::string origin = path.string();
  require<UnsupportedError>(!config.is_class({"Bertweet", "Phobert", "Funnel", "MPNet", "BertGeneration", "Prophet"}),
                            "{}: a vocabulary of {}; wanted its tokenizer.json", origin, config.tokenizer_class);
  const std::string text = read_text(path);
  require<FileError>(is_utf8(text), "{}: not UTF-8; wanted a vocabulary of one token a line", origin);
  TokenizerParts parts{.vocabulary = Vocabulary(origin)};
  std::int64_t id = 0;
  LineReader lines(text);
  while (const auto token = lines.next()) parts.vocabulary.add(*token, id++);
  parts.model = std::make_unique<WordPiece>(parts.vocabulary, WordPieceOptions{.unknown = config.name_of("unk", bert_names())});
  add_special_tokens(parts, config, bert_names());
  (void)mark_blank_tokens(parts, MaskSpace::kept);
  const bool lowercase = config.do_lower_case.value_or(true);
  parts.normalizer = std::make_unique<BertNormalizer>(
      BertNormalizerOptions{.handle_chinese_chars = config.tokenize_chinese_chars.value_or(true),
                            .strip_accents = config.strip_accents.value_or(lowercase),
                            .lowercase = lowercase});
  parts.pre_tokenizer = bert_pre_tokenizer();
  parts.decoder = std::make_unique<WordPieceDecoder>("##", true);
  const std::int32_t sep = needed(parts.special.sep, "sep", parts);
  parts.post_processor = surrounding({needed(parts.special.cls, "cls", parts)}, {sep}, {sep}, 1);
  follow_bos_and_eos(parts, config);
  follow_clean_up(parts, config);
  return std::make_unique<Tokenizer>(std::move(parts));
}

}  // namespace preamble
