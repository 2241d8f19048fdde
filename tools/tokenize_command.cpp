#include "tools/tokenize_command.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

using nlohmann::json;

/// `options` of one line.
struct LineOptions {
  EncodeOptions encode;
  bool windows = false;
  bool split_into_words = false;
  bool skip_special_tokens = true;
};

[[nodiscard]] Truncation truncation_of(const json& value) {
  if (value.is_boolean() || value == "longest_first") return Truncation::longest_first;
  if (value == "only_first") return Truncation::only_first;
  if (value == "only_second") return Truncation::only_second;
  raise<ConfigError>("truncation {}; wanted true, false, \"longest_first\", \"only_first\" or \"only_second\"", value.dump());
}

[[nodiscard]] LineOptions options_of(const json& line) {
  LineOptions options;
  options.encode.add_special_tokens = line.value("special", true);
  const json given = line.value("options", json::object());
  const json truncation = given.value("truncation", json(false));
  if (truncation != false) {
    options.encode.truncation = truncation_of(truncation);
    options.encode.max_length = given.at("max_length").get<std::size_t>();
  }
  options.encode.stride = given.value("stride", std::size_t{0});
  if (given.contains("add_prefix_space")) options.encode.add_prefix_space = given.at("add_prefix_space").get<bool>();
  options.windows = given.value("return_overflowing_tokens", false);
  options.split_into_words = given.value("is_split_into_words", false);
  options.skip_special_tokens = given.value("skip_special_tokens", true);
  return options;
}

/// A text or words that outlive the `TextInput` made of them.
struct OwnedInput {
  std::string text;
  std::vector<std::string> words;
  bool is_words = false;

  OwnedInput(const json& value, bool split) : is_words(split) {
    if (split) {
      words = value.get<std::vector<std::string>>();
    } else {
      text = value.get<std::string>();
    }
  }
  [[nodiscard]] TextInput view() const { return is_words ? TextInput(words) : TextInput(text); }
};

[[nodiscard]] json nullable(const std::vector<std::int32_t>& values) {
  json out = json::array();
  for (const std::int32_t value : values) out.push_back(value < 0 ? json() : json(value));
  return out;
}

[[nodiscard]] json to_json(const Tokenizer& tokenizer, const Encoding& encoding) {
  json offsets = json::array();
  for (const CharRange& range : encoding.offsets) offsets.push_back({range.begin, range.end});
  return {{"ids", encoding.ids},           {"decoded", tokenizer.decode(encoding.ids)},       {"offsets", offsets},
          {"type_ids", encoding.type_ids}, {"sequence_ids", nullable(encoding.sequence_ids)}, {"word_ids", nullable(encoding.word_ids)}};
}

[[nodiscard]] json answer(const Tokenizer& tokenizer, const json& line) {
  const LineOptions options = options_of(line);
  json out = json::object();
  if (line.contains("decode")) {
    out["decoded"] = tokenizer.decode(line.at("decode").get<std::vector<std::int32_t>>(), options.skip_special_tokens);
  } else {
    const OwnedInput text(line.at("text"), options.split_into_words);
    const OwnedInput pair(line.value("pair", options.split_into_words ? json::array() : json("")), options.split_into_words);
    if (options.windows) {
      for (const Encoding& window : tokenizer.encode_windows(text.view(), pair.view(), options.encode)) {
        out["windows"].push_back(to_json(tokenizer, window));
      }
    } else {
      out = to_json(tokenizer, tokenizer.encode(text.view(), pair.view(), options.encode));
    }
  }
  if (line.contains("id")) out["id"] = line.at("id");
  return out;
}

}  // namespace

int tokenize_command(const TokenizeArguments& arguments) {
  const auto tokenizer = load_tokenizer(arguments.tokenizer);
  const std::string input = read_text(arguments.input);
  std::string output;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < input.size();) {
    const std::size_t end = std::min(input.find('\n', begin), input.size());
    const std::string_view line = std::string_view(input).substr(begin, end - begin);
    ++number;
    begin = end + 1;
    if (line.empty()) continue;
    try {
      output += answer(*tokenizer, json::parse(line)).dump() + '\n';
    } catch (const json::exception& error) {
      raise<FileError>("{}:{}: {}", arguments.input.string(), number, error.what());
    } catch (const ConfigError& error) {
      raise<ConfigError>("{}:{}: {}", arguments.input.string(), number, error.what());
    }
  }
  write_atomically(arguments.output, output);
  return 0;
}

}  // namespace preamble
