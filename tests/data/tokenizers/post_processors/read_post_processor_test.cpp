#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tokenizers/post_processors/post_processor.h"
#include "engine/core/error.h"

namespace read_post_processor_test {

using namespace preamble;
using nlohmann::json;

namespace {

using Ids = std::vector<std::int32_t>;

Vocabulary vocabulary() {
  Vocabulary out("t.json");
  for (const char* token : {"<s>", "</s>", "a", "b"}) out.add(token, static_cast<std::int64_t>(out.size()));
  return out;
}

struct Result {
  Ids ids, types, texts;
};

/// Of the texts `a` and, for a pair, `b`.
Result processed(const PostProcessor& processor, bool pair, const PostProcessOptions& options = {}) {
  Sequences sequences = {{{.id = 2}}};
  if (pair) sequences.push_back({{.id = 3, .type = 1, .sequence = 1}});
  processor.process(sequences, options);
  Result out;
  for (const auto& tokens : sequences) {
    for (const Token& token : tokens) {
      out.ids.push_back(token.id);
      out.types.push_back(token.type);
      out.texts.push_back(token.sequence);
    }
  }
  return out;
}

json special(const char* token, int type) { return {{"SpecialToken", {{"id", token}, {"type_id", type}}}}; }
json text(const char* name, int type) { return {{"Sequence", {{"id", name}, {"type_id", type}}}}; }

json template_of(const json& single, const json& pair) {
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {0}}}}, {"</s>", {{"id", "</s>"}, {"ids", {1}}}}}}};
}

}  // namespace

TEST_CASE("read_post_processor: one text and a pair have templates of their own") {
  const auto processor =
      read_post_processor(template_of({special("<s>", 0), text("A", 0)}, {special("<s>", 0), text("A", 0), special("<s>", 1), text("B", 1)}),
                          vocabulary());
  CHECK(processed(*processor, false).ids == Ids{0, 2});
  const Result pair = processed(*processor, true);
  CHECK(pair.ids == Ids{0, 2, 0, 3});
  CHECK(pair.types == Ids{0, 0, 1, 1});
  CHECK(pair.texts == Ids{-1, 0, -1, 1});
  CHECK(processor->added(false) == 1);
  CHECK(processor->added(true) == 2);
  CHECK(processed(*processor, true, {.add_special_tokens = false}).ids == Ids{2, 3});
}

TEST_CASE("read_post_processor: BERT's and RoBERTa's") {
  const json ids = {{"cls", {"<s>", 0}}, {"sep", {"</s>", 1}}};
  json bert = ids, roberta = ids;
  bert["type"] = "BertProcessing";
  roberta["type"] = "RobertaProcessing";
  CHECK(processed(*read_post_processor(bert, vocabulary()), true).ids == Ids{0, 2, 1, 3, 1});
  CHECK(processed(*read_post_processor(bert, vocabulary()), true).types == Ids{0, 0, 0, 1, 1});
  CHECK(processed(*read_post_processor(roberta, vocabulary()), true).ids == Ids{0, 2, 1, 1, 3, 1});
  CHECK(processed(*read_post_processor(roberta, vocabulary()), true).types == Ids(6, 0));
}

TEST_CASE("read_post_processor: ByteLevel trims offsets, and a sequence does both") {
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}};
  const json parts = {{"type", "Sequence"},
                      {"processors", {byte_level, template_of(json::array({text("A", 0), special("</s>", 0)}), json::array({text("A", 0), text("B", 0)}))}}};
  const auto processor = read_post_processor(parts, vocabulary());
  Sequences sequences = {{{.id = 2, .offsets = {0, 4}, .leading_spaces = 1, .trailing_spaces = 2}}};
  processor->process(sequences, {});
  CHECK(sequences.front().front().offsets == CharRange{1, 2});
  CHECK(sequences.size() == 2);
  Sequences prefixed = {{{.id = 2, .offsets = {0, 2}, .leading_spaces = 1}}};
  processor->process(prefixed, {.add_prefix_space = true});
  CHECK(prefixed.front().front().offsets == CharRange{0, 2});
}

TEST_CASE("read_post_processor: begin and end tokens around each text") {
  CHECK(processed(*each_between(0, 1), true).ids == Ids{0, 2, 1, 0, 3, 1});
  CHECK(processed(*each_between(0, 1), true).types == Ids{0, 0, 0, 1, 1, 1});
  CHECK(processed(*each_between(std::nullopt, 1), false).ids == Ids{2, 1});
}

TEST_CASE("read_post_processor: refuses templates without their texts, unknown ids and other kinds") {
  const auto refuse = [](const json& description) {
    CHECK_THROWS_AS(static_cast<void>(read_post_processor(description, vocabulary())), FileError);
  };
  refuse(template_of(json::array({text("A", 0)}), json::array({text("A", 0)})));
  refuse(template_of(json::array(), {text("A", 0), text("B", 0)}));
  refuse(template_of({text("A", 0), text("B", 0)}, {text("A", 0), text("B", 0)}));
  json unknown = template_of({text("A", 0), special("<s>", 0)}, {text("A", 0), text("B", 0)});
  unknown["special_tokens"]["<s>"]["ids"][0] = 99;
  refuse(unknown);
  const json adding = template_of({text("A", 0), special("<s>", 0)}, {text("A", 0), text("B", 0)});
  CHECK_THROWS_WITH_AS(static_cast<void>(read_post_processor({{"type", "Sequence"}, {"processors", {adding, adding}}}, vocabulary())),
                       "t.json: a Sequence with 2 post-processors that add tokens; wanted one of them", UnsupportedError);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_post_processor({{"type", "Other"}}, vocabulary())),
                       "t.json: the post-processor Other is not built in", UnsupportedError);
}

}  // namespace read_post_processor_test
