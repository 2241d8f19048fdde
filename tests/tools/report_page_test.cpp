// `inspect --report` and `similarity`: from adapter folders to a page and a heat map.
#include "tools/report_page.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/initialise_prefix.h"
#include "peft/native_prefix.h"
#include "peft/prompt_report.h"
#include "peft/text_task.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"
#include "tools/similarity_command.h"
#include "tools/svg_chart.h"

namespace report_page_test {

using namespace preamble;
using namespace preamble::testing;

namespace {

/// A small model whose tokens have marks in them that HTML must not see.
struct Setting {
  Setting() {
    std::filesystem::create_directories(model);
    for (const auto& entry : std::filesystem::directory_iterator(golden("t5-v10/model"))) {
      if (entry.is_regular_file()) std::filesystem::copy_file(entry.path(), model / entry.path().filename());
    }
    std::string words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n<b>\ngood\nbad\n";
    for (int i = 8; i < 60; ++i) words += "w" + std::to_string(i) + "\n";
    write_atomically(model / "vocab.txt", words);
    write_atomically(model / "tokenizer_config.json", R"({"tokenizer_class":"BertTokenizer","do_lower_case":false})");
    embedding = open_encoder_decoder(model)->embedding();
  }

  /// A prompt whose rows are words of the model.
  void put(const std::filesystem::path& where, const std::vector<std::int64_t>& ids, float scale) const {
    Tensor prompt(Dtype::f32, {std::ssize(ids), embedding.dim(1)});
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const Tensor row = embedding.rows(ids[i], 1).to(Dtype::f32);
      for (std::int64_t k = 0; k < embedding.dim(1); ++k) {
        prompt.values<float>()[i * static_cast<std::size_t>(embedding.dim(1)) + static_cast<std::size_t>(k)] =
            scale * std::as_const(row).values<float>()[static_cast<std::size_t>(k)];
      }
    }
    PeftConfig config;
    config.peft_type = PeftType::prompt_tuning;
    config.task_type = "SEQ_2_SEQ_LM";
    config.num_virtual_tokens = prompt.dim(0);
    config.num_transformer_submodules = 1;
    write_adapter(where, config, std::vector<std::pair<std::string, Tensor>>{{"prompt_embeddings", prompt}});
  }

  TemporaryFolder folder;
  std::filesystem::path model = folder.path() / "model", adapter = folder.path() / "a & b";
  Tensor embedding;
};

}  // namespace

TEST_CASE("report: a prompt of words is found near them, with copies on the way and label words") {
  Setting s;
  s.put(s.adapter, {6, 7, 5, 5}, 2);
  s.put(s.adapter / "checkpoint-0", {6, 7, 9, 5}, 1);
  s.put(s.adapter / "checkpoint-10", {6, 7, 5, 5}, 2);
  TextTask task;
  task.input = "{x}";
  task.labels = "good,bad";
  task.write(s.adapter);
  const auto facts = report_facts(s.adapter, s.model, {.neighbours = 3});
  CHECK(facts["kind"] == "prompt");
  CHECK(facts["rows"][2]["cosine"][0]["token"] == "<b>");
  CHECK(facts["rows"][0]["cosine"].size() == 3);
  CHECK(facts["measures"][0]["prompt"].get<double>() == doctest::Approx(1));
  CHECK(facts["measures"][0]["random"].get<double>() < 0.9);
  CHECK(facts["measures"][1]["prompt"] == 0.5);  // two of four rows have a word of their own
  CHECK(facts["measures"][1]["start"] == 1);
  CHECK(facts["clusters"]["groups"][0]["rows"] == std::vector<int>{2, 3});
  CHECK(std::ranges::any_of(facts["repeated"], [](const auto& entry) { return entry["token"] == "<b>" && entry["rows"] == 2; }));
  CHECK(facts["drift"].size() == 2);
  CHECK(facts["drift"][0]["distance"] == 0);
  CHECK(facts["drift"][1]["distance"].get<double>() > 0.9);
  CHECK(facts["end"]["distance"] == facts["drift"][1]["distance"]);
  CHECK(facts["words"][1]["word"] == "bad");
  CHECK(facts["words"][1]["steps"][1]["row"] == 1);
  CHECK(facts["words"][1]["steps"][1]["rank"] == 1);

  const std::string page = report_page(facts);
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(page.find("&lt;b&gt;") != std::string::npos);
  CHECK(page.find("<b>") == std::string::npos);
  CHECK(page.find("a &amp; b") != std::string::npos);
  // nothing is fetched
  for (const auto* link : {"src=", "href=", "url(", "@import"}) CHECK(page.find(link) == std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
  CHECK(page.find("Label words through training") != std::string::npos);
}

TEST_CASE("report: a prefix of words' activations resembles them, more than random rows do") {
  Setting s;
  const auto model = open_encoder_decoder(s.model);
  PrefixInit init;
  init.kind = PrefixInitKind::text;
  init.tokens = 1;
  init.text = {6};
  std::map<std::int64_t, std::int64_t> pairs;
  for (std::int64_t layer = 0; layer < model->attention_shape(Site::encoder_self).layers; ++layer) pairs[layer] = layer;
  NativePrefix prefix;
  prefix.slot.emplace(Site::encoder_self, initial_prefix(init, *model, Site::encoder_self, std::ssize(pairs), pairs));
  for (const auto* name : {"", "checkpoint-0"}) prefix.write(s.adapter / name);
  const auto facts = report_facts(s.adapter, s.model, {.neighbours = 2, .prefix_tokens = 40});
  CHECK(facts["kind"] == "prefix");
  CHECK(facts["sites"].size() == pairs.size());
  for (const auto& place : facts["sites"]) {
    CHECK(place["keys"][0][0]["token"] == "good");
    CHECK(place["largest"]["values"].get<double>() == doctest::Approx(1).epsilon(1e-4));
    CHECK(place["random"]["values"].get<double>() < 0.95);
  }
  CHECK(facts["end"]["distance"] == 0);
  const std::string page = report_page(facts);
  CHECK(page.find("encoder_self, layer 0") != std::string::npos);
  CHECK(page.find("encoder_self keys, random rows") != std::string::npos);
}

TEST_CASE("report: without copies it says how to get them; odd requests are refused") {
  Setting s;
  s.put(s.adapter, {6, 7}, 1);
  const std::string page = report_page(report_facts(s.adapter, s.model, {}));
  CHECK(page.find("--checkpoint-steps") != std::string::npos);
  CHECK_THROWS_AS((void)report_facts(s.adapter, s.model, {.neighbours = 0}), ConfigError);
}

TEST_CASE("similarity: a table, a line for each pair, and a heat map") {
  Setting s;
  s.put(s.folder.path() / "one", {6, 7}, 1);
  s.put(s.folder.path() / "two", {6, 7}, 3);
  SimilarityArguments args;
  args.adapters = {s.folder.path() / "one", s.folder.path() / "two"};
  args.csv = s.folder.path() / "s.csv";
  args.svg = s.folder.path() / "s.svg";
  args.json = true;
  CHECK(similarity_command(args) == 0);
  const std::string csv = read_text(*args.csv);
  CHECK(csv.starts_with("one,other,average,per_token\none,one,1"));
  CHECK(std::ranges::count(csv, '\n') == 5);
  CHECK(read_text(*args.svg).find("<svg") != std::string::npos);
}

TEST_CASE("charts: escape text, leave out what is not finite, and refuse what is not square") {
  CHECK(escaped("a<b> & \"c\"\n") == "a&lt;b&gt; &amp; &quot;c&quot;\uFFFD");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string lines = line_chart({"t", "x", "y"}, {{"one", {{0, 1}, {1, nan}, {2, 3}}}, {"two", {{0, 2}}}});
  CHECK(lines.find("nan") == std::string::npos);
  CHECK(lines.find(">two<") != std::string::npos);
  CHECK(line_chart({"t", "x", "y"}, {{"none", {}}}).find("no points") != std::string::npos);
  CHECK(line_chart({"t", "x", "y"}, {{"flat", {{0, 1}, {1, 1}}}}).find("inf") == std::string::npos);
  CHECK_THROWS_AS((void)heat_map({"t", "", ""}, {"a", "b"}, {1, 2, 3}, -1, 1, true), ShapeError);
}

}  // namespace report_page_test
