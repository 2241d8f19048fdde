#include <algorithm>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/core/warnings.h"
#include "tests/data/tokenizers/builders.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace load_tokenizer_test {

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
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true},
    "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true},
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
  // the mark of the space in front of the added token is a piece of its own, and unknown
  CHECK(tokenizer->encode("ab new", "a").ids == Ids{3, 4, 2, 5, 1, 3, 1});
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
  file["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  file["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"[CLS]", 101}}, {"sep", {"[SEP]", 102}}};
  file["added_tokens"] = json::array({{{"id", *plain->token_to_id("[MASK]")}, {"content", "[MASK]"}, {"special", true}}});
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
  file["added_tokens"] = json::array({{{"id", *plain->token_to_id("<mask>")}, {"content", "<mask>"}, {"special", true}, {"lstrip", true}}});
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

TEST_CASE("load_tokenizer: added tokens get the next free ids, also where their file leaves a gap or lists them in disorder") {
  const testing::TemporaryFolder folder;
  folder.write("tokenizer.json", R"({"model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "[UNK]": 2}, "unk_token": "[UNK]"},
    "pre_tokenizer": {"type": "WhitespaceSplit"}, "added_tokens": [{"id": 2, "content": "[UNK]", "special": true}, {"id": 7, "content": "<x>"}]})");
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"9": {"content": "<z>"}, "8": {"content": "<y>"}, "1": {"content": "a"}}})");
  CHECK(load_tokenizer(folder.path())->encode("a <x> <y> <z> c").ids == std::vector<std::int32_t>{0, 3, 4, 5, 2});
  // a token of the vocabulary keeps its id
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"2": {"content": "a", "special": true}}})");
  CHECK(load_tokenizer(folder.path())->encode("ab").ids == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("load_tokenizer: a token that stays as it is in a text that is lower-cased") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n");
  folder.write("tokenizer_config.json", R"({"do_lower_case": true, "added_tokens_decoder": {
    "4": {"content": "NATO", "normalized": true, "special": false}, "5": {"content": "Raw", "normalized": false, "special": false}}})");
  const auto tokenizer = load_tokenizer(folder.path());
  CHECK(tokenizer->encode("NATO nato Nato").ids == Ids{1, 4, 4, 4, 2});
  CHECK(tokenizer->encode("Raw raw").ids == Ids{1, 5, 0, 2});
  CHECK(tokenizer->decode(Ids{4}) == "nato");
}

TEST_CASE("load_tokenizer: special tokens are named in a list, a map or an old file, as text or with flags") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n[x]\n");
  const auto ids = [&] { return load_tokenizer(folder.path())->encode("a[x]a <hl>").ids; };
  CHECK(ids() == Ids{1, 3, 0, 0, 0, 3, 0, 0, 0, 2});
  for (const char* config : {R"({"additional_special_tokens": ["[x]", "<hl>"]})", R"({"extra_special_tokens": ["[x]", "<hl>"]})",
                             R"({"extra_special_tokens": {"x_token": "[x]", "hl_token": "<hl>"}})",
                             R"({"x_token": "[x]", "additional_special_tokens": [{"content": "<hl>", "lstrip": true}]})"}) {
    CAPTURE(config);
    folder.write("tokenizer_config.json", config);
    const auto tokenizer = load_tokenizer(folder.path());
    std::vector<std::int32_t> found = ids();
    std::sort(found.begin(), found.end());
    CHECK(found == Ids{1, 2, 3, 3, 4, 5});
    CHECK(tokenizer->is_special(4));
    CHECK(tokenizer->is_special(5));
  }
  folder.write("tokenizer_config.json", "{}");
  folder.write("special_tokens_map.json", R"({"additional_special_tokens": ["[x]"]})");
  folder.write("added_tokens.json", R"({"<hl>": 5})");
  CHECK(ids() == Ids{1, 3, 4, 3, 5, 2});
  CHECK_FALSE(load_tokenizer(folder.path())->is_special(5));
}

TEST_CASE("load_tokenizer: a class puts the tokens that its config names around texts, whatever the post-processor of the file says") {
  const testing::TemporaryFolder folder;
  const auto file = [](const char* processor) {
    return std::string(R"({"model": {"type": "WordLevel", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "<end>": 3, "[UNK]": 4}, "unk_token": "[UNK]"},
      "added_tokens": [{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "</s>", "special": true}], "post_processor": )") + processor + "}";
  };
  const auto ids = [&](const char* processor, const char* config) {
    folder.write("tokenizer.json", file(processor));
    folder.write("tokenizer_config.json", config);
    return load_tokenizer(folder.path())->encode("a").ids;
  };
  const char* roberta = R"({"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 1]})";
  const char* t5 = R"({"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}})";
  CHECK(ids(roberta, R"({"tokenizer_class": "RobertaTokenizer"})") == Ids{0, 2, 1});
  CHECK(ids(roberta, R"({"tokenizer_class": "RobertaTokenizer", "sep_token": "<end>"})") == Ids{0, 2, 3});
  CHECK(ids(t5, R"({"tokenizer_class": "T5Tokenizer", "eos_token": "<end>"})") == Ids{2, 3});
  CHECK(ids(t5, R"({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<end>"})") == Ids{2, 1});
}

TEST_CASE("load_tokenizer: a token of added_tokens.json that the map alone declares special is still normalized") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\nnew\n");
  folder.write("added_tokens.json", R"({"NEW2": 5})");
  const auto ids = [&] { return load_tokenizer(folder.path())->encode("NEW2 New2").ids; };
  folder.write("special_tokens_map.json", R"({"additional_special_tokens": ["NEW2"]})");
  CHECK(ids() == Ids{1, 5, 5, 2});
  CHECK(load_tokenizer(folder.path())->is_special(5));
  folder.write("special_tokens_map.json", R"({"extra_special_tokens": ["NEW2"]})");
  CHECK(ids() == Ids{1, 5, 0, 2});
  folder.write("special_tokens_map.json", "{}");
  folder.write("tokenizer_config.json", R"({"additional_special_tokens": ["NEW2"]})");
  CHECK(ids() == Ids{1, 5, 0, 2});
}

TEST_CASE("load_tokenizer: add_bos_token and add_eos_token decide where no tokenizer.json does") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.json", R"({"a": 0, "<|endoftext|>": 1})");
  folder.write("merges.txt", "#version: 0.2\n");
  folder.write("tokenizer_config.json", R"({"add_bos_token": true})");
  CHECK(load_tokenizer(folder.path())->encode("a", "a").ids == Ids{1, 0, 1, 0});
  folder.write("tokenizer_config.json", R"({"add_eos_token": true})");
  CHECK(load_tokenizer(folder.path())->encode("a", "a").ids == Ids{0, 1, 0, 1});
  CHECK(load_tokenizer(folder.path())->frame().end == Ids{1});
  CHECK(load_tokenizer(folder.path())->frame().begin.empty());
}

TEST_CASE("load_tokenizer: add_bos_token changes nothing where there is no such token, or a post-processor of the class") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n");
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "add_bos_token": true, "add_eos_token": true})");
  CHECK(load_tokenizer(folder.path())->encode("a").ids == Ids{1, 3, 2});
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "bos_token": "[CLS]", "eos_token": "[SEP]", "add_bos_token": true})");
  CHECK(load_tokenizer(folder.path())->encode("a").ids == Ids{1, 3, 2});
  const testing::TemporaryFolder roberta;
  roberta.write("vocab.json", R"({"<s>": 0, "</s>": 1, "a": 2})");
  roberta.write("merges.txt", "#version: 0.2\n");
  roberta.write("tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer", "add_bos_token": true, "add_eos_token": true})");
  CHECK(load_tokenizer(roberta.path())->encode("a", "a").ids == Ids{0, 2, 1, 1, 2, 1});
}

TEST_CASE("load_tokenizer: what begins and ends a text is bos and eos, else what the model's config says, else cls and sep") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n[EOS]\n");
  CHECK(load_tokenizer(folder.path())->special().begin == 1);
  CHECK(load_tokenizer(folder.path())->special().end == 2);
  folder.write("config.json", R"({"model_type": "gpt2", "bos_token_id": 50256, "eos_token_id": [4, 2]})");
  CHECK(load_tokenizer(folder.path())->special().begin == 1);
  CHECK(load_tokenizer(folder.path())->special().end == 4);
  folder.write("generation_config.json", R"({"eos_token_id": 2})");
  CHECK(load_tokenizer(folder.path())->special().end == 2);
}

TEST_CASE("load_tokenizer: classes that need an analyser are refused by name") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\n");
  folder.write("config.json", R"({"tokenizer_class": "BertJapaneseTokenizer"})");
  const auto refused = [&](const char* file, const std::string& message) {
    CHECK_THROWS_WITH_AS(static_cast<void>(load_tokenizer(folder.path())), ((folder.path() / file).string() + message).c_str(),
                         UnsupportedError);
  };
  refused("config.json", ": a BertJapaneseTokenizer, which finds words with a library of its own; wanted a tokenizer without one");
  folder.write("config.json", "{}");
  folder.write("tokenizer_config.json", R"({"word_tokenizer_type": "mecab"})");
  refused("tokenizer_config.json", ": word_tokenizer_type \"mecab\"; wanted a tokenizer that needs no analyser");
}

TEST_CASE("load_tokenizer: decoded texts lose the spaces that clean_up_tokenization_spaces names, of a BPE only where a key insists") {
  const testing::TemporaryFolder folder;
  const auto decoded = [&](const char* model, const std::string& config) {
    folder.write("tokenizer.json", std::string(R"({"model": )") + model + R"(, "decoder": null})");
    folder.write("tokenizer_config.json", config);
    return load_tokenizer(folder.path())->decode(Ids{0, 1, 2, 3, 4, 5});
  };
  const char* words = R"({"type": "WordLevel", "unk_token": "I", "vocab": {"I": 0, "do": 1, "not": 2, "'": 3, "n't": 4, ".": 5}})";
  const char* bpe = R"({"type": "BPE", "merges": [], "vocab": {"I": 0, "do": 1, "not": 2, "'": 3, "n't": 4, ".": 5}})";
  const std::string clean = R"({"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": true)";
  CHECK(decoded(words, "{}") == "I do not ' n't .");
  CHECK(decoded(words, clean + "}") == "I do not'n't.");
  CHECK(decoded(bpe, clean + "}") == "I do not ' n't .");
  CHECK(decoded(bpe, clean + R"(, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": true})") == "I do not'n't.");
}

TEST_CASE("load_tokenizer: without a class of its own a file says which tokens are special, and with one its names do") {
  const testing::TemporaryFolder folder;
  folder.write("tokenizer.json", R"({"model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}, "unk_token": "[UNK]"},
    "pre_tokenizer": {"type": "Whitespace"}, "added_tokens": [{"id": 1, "content": "[CLS]", "special": false, "rstrip": true}, {"id": 2, "content": "[SEP]", "special": true}]})");
  for (const char* config : {R"({"tokenizer_class": "PreTrainedTokenizerFast"})", R"({})"}) {
    CAPTURE(config);
    folder.write("tokenizer_config.json", config);
    const auto tokenizer = load_tokenizer(folder.path());
    CHECK(tokenizer->special().cls == 1);
    CHECK_FALSE(tokenizer->is_special(1));
    CHECK(tokenizer->is_special(2));
    CHECK(tokenizer->decode(Ids{1, 3, 2}) == "[CLS] a");
  }
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  CHECK(load_tokenizer(folder.path())->is_special(1));
}

TEST_CASE("load_tokenizer: a special token that is normalised to something else is decoded") {
  const testing::TemporaryFolder folder;
  folder.write("tokenizer.json", R"({"model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"}, "normalizer": {"type": "Lowercase"},
    "added_tokens": [{"id": 2, "content": "<A>", "special": true, "normalized": true}, {"id": 3, "content": "<b>", "special": true, "normalized": true}]})");
  CHECK(load_tokenizer(folder.path() / "tokenizer.json")->decode(Ids{1, 2, 3}) == "a <a>");
}

TEST_CASE("load_tokenizer: keys that are not followed are warned of once") {
  const testing::TemporaryFolder folder;
  folder.write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\n");
  const auto path = folder.write("tokenizer_config.json", R"({"split_special_tokens": true, "truncation_side": "left"})");
  const WarningCapture capture;
  static_cast<void>(load_tokenizer(folder.path()));
  static_cast<void>(load_tokenizer(folder.path()));
  CHECK(capture.messages() == std::vector<std::string>{path.string() + ": split_special_tokens is ignored",
                                                       path.string() + ": truncation_side \"left\" is ignored; texts are cut at their right end"});
}

TEST_CASE("load_tokenizer: says what a folder or a file lacks") {
  const testing::TemporaryFolder folder;
  refuse(folder.path(),
         ": no tokenizer in this folder; wanted tokenizer.json, a SentencePiece model (spiece.model, spm.model, sentencepiece.bpe.model, "
         "tokenizer.model, cog-pretrain.model), vocab.json with merges.txt, or vocab.txt");
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
                                                                             {"/added_tokens/0/id", -1},
                                                                             {"/added_tokens/0/id", 1LL << 40},
                                                                             {"/normalizer", {{"type", "Unknown"}}},
                                                                             {"/pre_tokenizer", {{"type", "UnicodeScripts"}}},
                                                                             {"/decoder", {{"type", "CTC"}}},
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

}  // namespace load_tokenizer_test
