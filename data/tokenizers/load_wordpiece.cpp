#include <utility>

#include "data/text_file.h"
#include "data/tokenizers/families.h"
#include "data/tokenizers/utf8.h"
#include "data/tokenizers/wordpiece_tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {

std::unique_ptr<Tokenizer> load_wordpiece(const std::filesystem::path& path, const TokenizerConfig& config) {
  const std::string origin = path.string();
  const std::string text = read_text(path);
  require<FileError>(is_utf8(text), "{}: not UTF-8; wanted a vocabulary of one token a line", origin);
  TokenizerParts parts{.vocabulary = Vocabulary(origin), .added = {}, .special = {}, .layout = {}};
  std::int64_t id = 0;
  LineReader lines(text);
  while (const auto token = lines.next()) parts.vocabulary.add(*token, id++);
  add_special_tokens(parts, config, bert_names());
  parts.layout = bert_layout(parts.special, origin);
  WordPieceOptions options;
  options.normalizer.lowercase = config.do_lower_case.value_or(true);
  options.normalizer.strip_accents = config.strip_accents.value_or(options.normalizer.lowercase);
  options.normalizer.handle_chinese_chars = config.tokenize_chinese_chars.value_or(true);
  if (const auto unknown = config.special.find("unk"); unknown != config.special.end()) options.unknown = unknown->second;
  return std::make_unique<WordPieceTokenizer>(std::move(parts), std::move(options));
}

}  // namespace preamble
