#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/text_file.h"
#include "data/tokenizers/byte_level_tokenizer.h"
#include "data/tokenizers/families.h"
#include "data/tokenizers/json_access.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

/// `merges.txt`: a `#version` line, then two tokens a line with one space between.
[[nodiscard]] std::vector<MergeRule> read_merges(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::vector<MergeRule> rules;
  LineReader lines(text);
  while (const auto next = lines.next()) {
    const std::string_view line = *next;
    if (line.empty() || (lines.number() == 1 && line.starts_with("#version"))) continue;
    const std::size_t space = line.find(' ');
    require<FileError>(space != std::string_view::npos && space == line.rfind(' ') && space > 0 && space + 1 < line.size(),
                       "{}:{}: '{}'; wanted two tokens with one space between", path.string(), lines.number(), line);
    rules.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return rules;
}

}  // namespace

std::unique_ptr<Tokenizer> load_byte_level(const std::filesystem::path& vocab, const std::filesystem::path& merges,
                                           const TokenizerConfig& config) {
  const std::string origin = vocab.string();
  TokenizerParts parts{.vocabulary = Vocabulary(origin), .added = {}, .special = {}, .layout = {}};
  read_json(JsonFile::open(vocab), [&](const nlohmann::json& file) {
    for (const auto& [token, id] : file.items()) parts.vocabulary.add(token, id.get<std::int64_t>());
  });
  Bpe model(parts.vocabulary, read_merges(merges));
  const bool roberta = parts.vocabulary.find("<s>") && parts.vocabulary.find("</s>");
  add_special_tokens(parts, config, roberta ? roberta_names() : gpt2_names());
  if (roberta) parts.layout = roberta_layout(parts.special, origin);
  mark_mask_as_lstrip(parts);
  const ByteLevelOptions options{.add_prefix_space = config.add_prefix_space.value_or(false),
                                 .trim_offsets = roberta && config.trim_offsets.value_or(true)};
  return std::make_unique<ByteLevelTokenizer>(std::move(parts), std::move(model), options);
}

}  // namespace preamble
