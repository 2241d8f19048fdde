#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/data/tokenizers/builders.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

using namespace preamble;
using nlohmann::json;

namespace {

using Ids = std::vector<std::int32_t>;

void refuse(const std::filesystem::path& path, const std::string& message) {
  CHECK_THROWS_WITH_AS(static_cast<void>(load_tokenizer(path)), (path.string() + message).c_str(), FileError);
}

json unigram_json() {
  return json::parse(R"({
    "added_tokens": [{"id": 1, "content": "</s>", "special": true}, {"id": 5, "content": "new", "special": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "Metaspace"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
               {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
    "model": {"unk_id": 2, "vocab": [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["▁a", -1], ["b", -1]]}})");
}

}  // namespace

TEST_CASE("load_tokenizer: reads an old tokenizer.json without a model type") {
  const testing::TemporaryFolder folder;
  const auto tokenizer = load_tokenizer(folder.write("tokenizer.json", unigram_json().dump()));
  CHECK(tokenizer->encode("ab new", "a").ids == Ids{3, 4, 5, 1, 3, 1});
  CHECK(tokenizer->size() == 6);
  CHECK_FALSE(tokenizer->is_special(5));
  CHECK(tokenizer->decode(Ids{3, 5, 1}) == "anew");
}

TEST_CASE("load_tokenizer: a charsmap in tokenizer.json is base64, alone or in a sequence") {
  const testing::TemporaryFolder folder;
  json file = unigram_json();
  // a double array of three blocks of 256 units is long; an empty trie will do to see that the field is read
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Precompiled"}, {"precompiled_charsmap", "AAAAAA=="}}}}};
  CHECK(load_tokenizer(folder.write("tokenizer.json", file.dump()))->encode("a").ids == Ids{3, 1});
  file["normalizer"]["normalizers"][0]["precompiled_charsmap"] = "/////w==";
  const auto path = folder.write("tokenizer.json", file.dump());
  refuse(path, ": charsmap: a trie of 4294967295 bytes; wanted units of 4");
}

TEST_CASE("load_tokenizer: BERT's tokenizer.json equals its vocab.txt") {
  const auto plain = load_tokenizer(testing::golden("tokenizers/bert-uncased"));
  json file;
  for (std::size_t id = 0; id < plain->size(); ++id)
    file["model"]["vocab"][std::string(*plain->id_to_token(static_cast<std::int32_t>(id)))] = id;
  file["model"]["unk_token"] = "[UNK]";
  file["normalizer"] = {{"type", "BertNormalizer"}, {"lowercase", true}, {"strip_accents", nullptr}};
  file["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"[CLS]", 101}}, {"sep", {"[SEP]", 102}}};
  file["truncation"] = {{"max_length", 4}};
  const testing::TemporaryFolder folder;
  const auto same = load_tokenizer(folder.write("tokenizer.json", file.dump()));
  const std::string text = "Prompt tuning: CAFÉ, unaffordable [MASK]!";
  CHECK(same->encode(text, "pair").ids == plain->encode(text, "pair").ids);
  CHECK(same->encode(text, "pair").type_ids == plain->encode(text, "pair").type_ids);
}

TEST_CASE("load_tokenizer: byte-level BPE from tokenizer.json equals vocab.json with merges.txt, in both forms of merges") {
  const auto folder = testing::golden("tokenizers/roberta-small-vocab");
  const auto plain = load_tokenizer(folder);
  json file;
  file["model"]["vocab"] = json::parse(read_text(folder / "vocab.json"));
  file["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  file["post_processor"] = {{"type", "RobertaProcessing"}, {"cls", {"<s>", 0}}, {"sep", {"</s>", 2}}, {"trim_offsets", true}};
  const std::string merges = read_text(folder / "merges.txt");
  for (const bool as_pairs : {false, true}) {
    file["model"]["merges"] = json::array();
    for (std::size_t begin = merges.find('\n') + 1; begin < merges.size(); begin = merges.find('\n', begin) + 1) {
      const std::string line = merges.substr(begin, merges.find('\n', begin) - begin);
      const std::size_t space = line.find(' ');
      file["model"]["merges"].push_back(as_pairs ? json({line.substr(0, space), line.substr(space + 1)}) : json(line));
    }
    const testing::TemporaryFolder copy;
    const auto same = load_tokenizer(copy.write("tokenizer.json", file.dump()));
    const std::string text = "It's unaffordable,  isn't it? <mask> 1234";
    CHECK(same->encode(text, "pair").ids == plain->encode(text, "pair").ids);
    CHECK(same->encode(text, "pair").offsets == plain->encode(text, "pair").offsets);
  }
}

TEST_CASE("load_tokenizer: added_tokens_decoder adds tokens and roles") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n");
  folder.write("tokenizer_config.json", R"({"pad_token": {"content": "<p>"}, "mask_token": null,
    "added_tokens_decoder": {"4": {"content": "<p>", "special": true}, "5": {"content": "<q>", "lstrip": true, "rstrip": true}}})");
  const auto tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer->special().pad == 4);
  CHECK(tokenizer->encode("a <q> a<p>").ids == Ids{1, 3, 5, 3, 4, 2});
  CHECK(tokenizer->encode("a <q> a<p>").offsets[3] == CharRange{6, 7});
}

TEST_CASE("load_tokenizer: says what a folder or a file lacks") {
  const testing::TemporaryFolder folder;
  refuse(folder.path(),
         ": no tokenizer in this folder; wanted tokenizer.json, spiece.model, spm.model, vocab.json with merges.txt, or vocab.txt");
  refuse(folder.path() / "nowhere.txt", ": cannot open: No such file or directory");
  refuse(folder.write("weights.bin", ""), ": a tokenizer file; wanted tokenizer.json, a SentencePiece .model, a vocab.txt, or a folder");
}

TEST_CASE("load_tokenizer: refuses malformed JSON with the path") {
  const testing::TemporaryFolder folder;
  const auto check = [&](const json& file) {
    CHECK_THROWS_AS(static_cast<void>(load_tokenizer(folder.write("tokenizer.json", file.dump()))), Error);
  };
  const json good = unigram_json();
  REQUIRE_NOTHROW(static_cast<void>(load_tokenizer(folder.write("tokenizer.json", good.dump()))));
  for (const auto& [path, value] : std::vector<std::pair<std::string, json>>{{"/model", json()},
                                                                             {"/model/type", "Word2Vec"},
                                                                             {"/model/unk_id", 5},
                                                                             {"/model/unk_id", nullptr},
                                                                             {"/model/vocab", json::object()},
                                                                             {"/model/vocab/3", "▁a"},
                                                                             {"/model/vocab/3/1", "x"},
                                                                             {"/model/byte_fallback", true},
                                                                             {"/added_tokens/0/id", -1},
                                                                             {"/added_tokens/0/id", 1LL << 40},
                                                                             {"/added_tokens/0/id", 3},
                                                                             {"/added_tokens/0/single_word", true},
                                                                             {"/added_tokens/0/content", 1},
                                                                             {"/post_processor/special_tokens", json::object()},
                                                                             {"/post_processor/special_tokens/<~1s>/ids/0", 99},
                                                                             {"/post_processor/pair", json::array()},
                                                                             {"/post_processor/single", json::array()}}) {
    CAPTURE(path);
    json bad = good;
    bad[json::json_pointer(path)] = value;
    check(bad);
  }
  refuse(folder.write("tokenizer.json", "[]"), ": holds an array of 0; wanted an object");
}

TEST_CASE("load_tokenizer: any cut or changed byte of a SentencePiece file gives a tokenizer or one error") {
  const std::vector<UnigramPiece> pieces = {{"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}, {"▁a", -1}, {"b", -1}};
  const std::string good = testing::sentencepiece_file(pieces, 2, testing::charsmap_blob({{"e\u0301", "é"}}).substr(0, 64));
  const testing::TemporaryFolder folder;
  int loaded = 0;
  const auto try_load = [&](const std::string& bytes) {
    try {
      const auto tokenizer = load_tokenizer(folder.write("spiece.model", bytes));
      static_cast<void>(tokenizer->decode(tokenizer->encode("ab e\u0301 \u0001<pad>").ids));
      ++loaded;
    } catch (const Error&) {
    }
  };
  for (std::size_t size = 0; size < good.size(); ++size) try_load(good.substr(0, size));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int flip : {0x01, 0x08, 0x80, 0xFF}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      try_load(bad);
    }
  }
  CHECK(loaded > 0);
}
