#include "tests/support/golden.h"

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/tokenizer.h"
#include "engine/core/file.h"

namespace tokenizers_golden_test {

using namespace preamble;
using nlohmann::json;

namespace {

json nullable(const std::vector<std::int32_t>& values) {
  json out = json::array();
  for (const std::int32_t value : values) out.push_back(value < 0 ? json() : json(value));
  return out;
}

json pairs(const std::vector<CharRange>& offsets) {
  json out = json::array();
  for (const CharRange& range : offsets) out.push_back({range.begin, range.end});
  return out;
}

void check_encoding(const Tokenizer& tokenizer, const json& wanted, const json& options) {
  EncodeOptions encode{.add_special_tokens = wanted.at("special").get<bool>()};
  if (options.contains("add_prefix_space")) encode.add_prefix_space = options.at("add_prefix_space").get<bool>();
  const auto text = wanted.at("text").get<std::string>();
  const auto pair = wanted.value("pair", "");
  const Encoding encoding = tokenizer.encode(text, pair, encode);
  CHECK(json(encoding.ids) == wanted.at("ids"));
  CHECK(tokenizer.decode(encoding.ids) == wanted.at("decoded").get<std::string>());
  if (wanted.contains("offsets")) CHECK(pairs(encoding.offsets) == wanted.at("offsets"));
  if (wanted.contains("type_ids")) CHECK(json(encoding.type_ids) == wanted.at("type_ids"));
  if (wanted.contains("sequence_ids")) CHECK(nullable(encoding.sequence_ids) == wanted.at("sequence_ids"));
}

/// Checks every case of a folder of tests/golden/tokenizers and returns their number.
int check_all(const std::string& name) {
  const auto tokenizer = load_tokenizer(testing::golden("tokenizers/" + name));
  const std::string cases = read_text(testing::golden("tokenizers/" + name + "/cases.jsonl"));
  int count = 0;
  for (std::size_t begin = 0; begin < cases.size(); begin = cases.find('\n', begin) + 1) {
    const json wanted = json::parse(cases.substr(begin, cases.find('\n', begin) - begin));
    const auto id = wanted.at("id").get<std::string>();
    CAPTURE(id);
    const json options = wanted.value("options", json::object());
    if (wanted.contains("decode")) {
      const auto ids = wanted.at("decode").get<std::vector<std::int32_t>>();
      CHECK(tokenizer->decode(ids, options.value("skip_special_tokens", true)) == wanted.at("decoded").get<std::string>());
    } else {
      check_encoding(*tokenizer, wanted, options);
    }
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("tokenizers: T5 agrees with every golden case") { CHECK(check_all("t5-nano") == 182); }

TEST_CASE("tokenizers: GPT-2 agrees with every golden case") { CHECK(check_all("gpt2-nano") == 180); }

TEST_CASE("tokenizers: RoBERTa agrees with every golden case") { CHECK(check_all("roberta-small-vocab") == 285); }

TEST_CASE("tokenizers: BERT uncased agrees with every golden case") { CHECK(check_all("bert-uncased") == 270); }

TEST_CASE("tokenizers: BERT cased agrees with every golden case") { CHECK(check_all("bert-cased") == 270); }

TEST_CASE("tokenizers: Llama 3's split agrees with every golden case") { CHECK(check_all("llama3") > 50); }

TEST_CASE("tokenizers: Llama 2's byte fallback agrees with every golden case") { CHECK(check_all("llama2") > 50); }

TEST_CASE("tokenizers: added tokens with every flag agree with every golden case") {
  CHECK(check_all("flags-bpe") > 50);
  CHECK(check_all("flags-spm") > 50);
}

}  // namespace tokenizers_golden_test
