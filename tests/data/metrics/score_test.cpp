#include "data/metrics/score.h"

#include <cmath>
#include <map>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "engine/core/error.h"
#include "tests/data/metrics/metric_cases.h"
#include "tests/support/temporary_folder.h"

namespace score_test {

using namespace preamble;
using namespace preamble::metrics;
using doctest::Approx;
using preamble::testing::TemporaryFolder;

namespace {

/// The golden corpus as files: outputs a line each, references in groups.
struct Files {
  TemporaryFolder folder;
  ScoreOptions options;

  Files() {
    std::string hypotheses;
    std::string references;
    for (const Instance& instance : testing::golden_corpus()) {
      hypotheses += instance.hypothesis + "\n";
      for (const std::string& reference : instance.references) references += reference + "\n";
      references += "\n";
    }
    options.hypotheses = folder.write("outputs.txt", hypotheses);
    options.references = {folder.write("references.txt", references)};
  }
};

std::map<std::string, double> values_of(const ScoreReport& report) { return {report.values.begin(), report.values.end()}; }

}  // namespace

TEST_CASE("score: every generation metric agrees with its program") {
  Files files;
  const std::set<std::string> extra = {"sacrebleu_floor", "sacrebleu_add_one", "sacrebleu_lowercase", "chrf_lowercase", "ter_cased"};
  for (const auto& [name, expected] : testing::metric_cases().at("generation").items()) {
    if (!extra.contains(name)) files.options.metrics.push_back(name);
  }
  const auto values = values_of(score(files.options));
  CHECK(values.size() == files.options.metrics.size());
  for (const auto& [name, value] : values) {
    CAPTURE(name);
    CHECK(value == Approx(testing::golden_score(name.c_str())).epsilon(1e-10));
  }
}

TEST_CASE("score: values come in the order of the request and print as JSON") {
  ScoreReport report;
  report.values = {{"nist", 8.5}, {"bleu", 0.25}};
  CHECK(to_json(report) == "{\n  \"nist\": 8.5,\n  \"bleu\": 0.25\n}");
  report.notes = {"said \"so\""};
  CHECK(nlohmann::json::parse(to_json(report)).at("notes").at(0) == "said \"so\"");
  Files files;
  files.options.metrics = {"nist", "bleu"};
  CHECK(score(files.options).values.front().first == "nist");
}

TEST_CASE("score: a group goes on without METEOR and says so, the metric itself does not") {
  Files files;
  files.options.meteor_jar = files.folder.path() / "meteor-1.5.jar";
  files.options.metrics = {"e2e"};
  const ScoreReport report = score(files.options);
  CHECK(report.values.size() == 4);
  REQUIRE(report.notes.size() == 1);
  CHECK(report.notes.front().starts_with("meteor left out: meteor: "));
  files.options.metrics = {"meteor"};
  CHECK_THROWS_AS(static_cast<void>(score(files.options)), UnsupportedError);
}

TEST_CASE("score: ROUGE has four values and a word about its mean") {
  Files files;
  files.options.metrics = {"rouge", "rouge_stem"};
  const ScoreReport report = score(files.options);
  CHECK(values_of(report).size() == 8);
  CHECK(values_of(report).contains("rougeLsum_stem"));
  CHECK_FALSE(report.notes.empty());
}

TEST_CASE("score: tags need no references") {
  ScoreOptions options;
  options.hypotheses = testing::golden("metrics/chunk_tags.txt");
  options.metrics = {"seqeval"};
  const auto values = values_of(score(options));
  CHECK(values.at("seqeval_f1") == Approx(0.743487).epsilon(1e-6));
  CHECK(values.at("seqeval_accuracy") == Approx(808.0 / 961));
}

TEST_CASE("score: labels and numbers") {
  const TemporaryFolder folder;
  ScoreOptions options;
  options.hypotheses = folder.write("predicted", "1\n0\n1\n1\n");
  options.references = {folder.write("gold", "1\n0\n0\n1\n")};
  options.metrics = {"accuracy", "binary_f1", "macro_f1", "matthews", "pearson", "spearman"};
  const auto values = values_of(score(options));
  CHECK(values.at("accuracy") == Approx(0.75));
  CHECK(values.at("binary_f1") == Approx(0.8));
  CHECK(values.at("macro_f1") == Approx((0.8 + 2.0 / 3) / 2));
  CHECK(values.at("matthews") == Approx(1 / std::sqrt(3.0)));
  CHECK(values.at("pearson") == Approx(1 / std::sqrt(3.0)));
  CHECK(values.at("spearman") == Approx(1 / std::sqrt(3.0)));
}

TEST_CASE("score: SQuAD predictions, one of them missing") {
  const TemporaryFolder folder;
  ScoreOptions options;
  options.hypotheses = folder.write("predicted.json", R"({"q1": "the mill"})");
  options.references = {folder.write("gold.json", R"({"data": [{"title": "t", "paragraphs": [{"context": "an old mill", "qas": [
    {"id": "q1", "question": "?", "answers": [{"text": "old mill", "answer_start": 3}]},
    {"id": "q2", "question": "?", "answers": [{"text": "mill", "answer_start": 7}]}]}]}]})")};
  options.metrics = {"squad", "squad_v2"};
  const ScoreReport report = score(options);
  const auto values = values_of(report);
  CHECK(values.at("squad_exact_match") == 0.0);
  CHECK(values.at("squad_f1") == Approx(100 * (2.0 / 3) / 2));
  CHECK(values.at("squad_v2_f1") == Approx(100 * 2.0 / 3));
  CHECK(report.notes == std::vector<std::string>{"squad: 1 questions without a prediction count 0",
                                                 "squad_v2: 1 questions without a prediction are left out"});
}

TEST_CASE("score: every metric is listed once, with a description") {
  std::set<std::string> names;
  for (const MetricInfo& info : metric_list()) {
    CAPTURE(info.name);
    CHECK(names.insert(info.name).second);
    CHECK_FALSE(info.description.empty());
  }
  CHECK(names.contains("e2e"));
}

TEST_CASE("score: unknown names, no names and missing references are refused") {
  Files files;
  CHECK_THROWS_AS(static_cast<void>(score(files.options)), ConfigError);
  files.options.metrics = {"blue"};
  try {
    static_cast<void>(score(files.options));
    FAIL("no exception");
  } catch (const ConfigError& error) {
    CHECK(std::string_view(error.what()).starts_with("metric 'blue': unknown; wanted one of bleu, "));
  }
  files.options.metrics = {"accuracy"};
  files.options.references.clear();
  CHECK_THROWS_WITH_AS(static_cast<void>(score(files.options)),
                       (files.options.hypotheses.string() + ": 0 files of references; wanted one").c_str(), ConfigError);
}

TEST_CASE("score: an empty line in a file of references means fewer references, for every metric") {
  const TemporaryFolder folder;
  ScoreOptions options;
  options.hypotheses = folder.write("h", "the old mill stands near a river\na cat\n");
  const auto first = folder.write("r0", "the old mill stands near the river\na cat sat on the mat\n");
  options.references = {first, folder.write("r1", "the mill is by the river\n\n"), folder.write("r2", "\n\n")};
  ScoreOptions groups = options;
  groups.references = {folder.write("groups", "the old mill stands near the river\nthe mill is by the river\n\na cat sat on the mat\n")};
  groups.layout = ReferenceLayout::groups;
  for (const MetricInfo& metric : metric_list()) {
    if (scores_files(metric.name) || metric.name == "meteor" || metric.name == "e2e" || metric.name == "webnlg") continue;
    CAPTURE(metric.name);
    options.metrics = groups.metrics = {metric.name};
    const double padded = score(options).values.front().second, exact = score(groups).values.front().second;
    if (metric.name.ends_with("_gaps")) {
      CHECK(padded > exact);  // the reference of length 0 is the closest to the second output
    } else {
      CHECK(padded == exact);
    }
  }
}

}  // namespace score_test
