#include "data/tasks/task_scores.h"

#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "data/tasks/readers.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tests/support/golden.h"

namespace task_scores_test {

using namespace preamble;
using doctest::Approx;

namespace {

using Strings = std::vector<std::string>;

Table labelled(const Strings& labels) {
  Table table("t");
  RowBuilder row(table);
  for (const auto& label : labels) row.text("label", label).end_row(0);
  return table;
}

// the expected numbers are scikit-learn's and scipy's

}  // namespace

TEST_CASE("task_scores: stored predictions of each task have the scores of T5's own programs") {
  // T5's names of scores; where they are called otherwise here
  const std::map<std::string, std::string> names = {{"matthews_corrcoef", "matthews"}, {"pearson_corrcoef", "pearson"}, {"em", "exact_match"},
                                                    {"spearman_corrcoef", "spearman"}, {"mean_3class_f1", "macro_f1"}};
  const auto cases = nlohmann::json::parse(read_text(testing::golden("metrics/task_scores.json")));
  CHECK(cases.size() == 35);
  for (const auto& one : cases) {
    const std::string task = one.at("task");
    CAPTURE(task);
    Table table(task);
    RowBuilder row(table);
    for (const auto& fields : one.at("rows")) {
      for (const char* text : {"label", "target"}) {
        if (fields.contains(text)) row.text(text, fields.at(text));
      }
      if (fields.contains("answers")) row.list("answers", fields.at("answers").get<Strings>());
      if (fields.contains("group")) row.number("group", fields.at("group"));
      row.end_row(0);
    }
    const auto scores = score_task(named_task(task), table, one.at("predictions").get<Strings>());
    CHECK(scores.size() == one.at("scores").size() + 1);
    double sum = 0;
    for (const auto& [name, value] : one.at("scores").items()) {
      CAPTURE(name);
      std::string mine = names.contains(name) ? names.at(name) : name;
      if (task == "superglue/multirc") mine = name == "f1" ? "f1a" : "group_match";
      CHECK(scores.at(mine) == Approx(value.get<double>()).epsilon(1e-12));
      sum += value.get<double>();
    }
    CHECK(scores.at("score") == Approx(sum / static_cast<double>(one.at("scores").size())).epsilon(1e-12));
  }
}

TEST_CASE("task_scores: a text is a class to the letter, or wrong") {
  const auto cola = score_task(named_task("glue/cola"), labelled({"1", "1", "0", "1", "0", "0", "1", "1"}),
                               Strings{"acceptable", "unacceptable", "unacceptable", "acceptable", "acceptable", "Acceptable", "acceptable",
                                       "acceptable"});
  CHECK(cola.at("matthews") == Approx(0.28180093098831727));
  CHECK(cola.at("score") == cola.at("matthews"));
  const auto mrpc = score_task(named_task("glue/mrpc"), labelled({"1", "1", "0", "1", "0", "0", "1", "1"}),
                               Strings{"equivalent", "not_equivalent", "not_equivalent", "equivalent", "equivalent", "", "equivalent",
                                       "equivalent"});
  CHECK(mrpc.at("f1") == Approx(0.7272727272727273));
  CHECK(mrpc.at("accuracy") == Approx(0.625));
  CHECK(mrpc.at("score") == Approx((0.7272727272727273 + 0.625) / 2));
  const auto cb = score_task(named_task("superglue/cb"),
                             labelled({"entailment", "contradiction", "neutral", "entailment", "contradiction", "contradiction"}),
                             Strings{"entailment", "contradiction", "contradiction", "none", "contradiction", "entailment"});
  CHECK(cb.at("macro_f1") == Approx(0.38888888888888884));
  CHECK(cb.at("accuracy") == Approx(0.5));
}

TEST_CASE("task_scores: STS-B compares the rounded numbers; what is no number is -1") {
  Table table("t");
  RowBuilder row(table);
  for (const char* target : {"2.4", "0.0", "5.0", "3.2", "1.6"}) row.text("target", target).end_row(0);
  const auto scores = score_task(named_task("glue/stsb"), table, Strings{"2.0", " 0.4", "a lot", "3.2", "4.8"});
  CHECK(scores.at("pearson") == Approx(-0.30819573253792576));
  CHECK(scores.at("spearman") == Approx(-0.3));
}

TEST_CASE("task_scores: MultiRC counts answers, and questions all of whose answers are right") {
  Table table("t");
  RowBuilder row(table);
  const Strings labels = {"0", "1", "1", "0", "1"}, groups = {"0", "0", "1", "1", "2"};
  for (std::size_t i = 0; i < labels.size(); ++i) row.text("label", labels[i]).text("group", groups[i]).end_row(0);
  const auto scores = score_task(named_task("superglue/multirc"), table, Strings{"False", "True", "False", "False", "true"});
  CHECK(scores.at("f1a") == Approx(0.5));
  CHECK(scores.at("group_match") == Approx(1.0 / 3));
}

TEST_CASE("task_scores: answers count once a question, against the best of all") {
  Table table("t");
  RowBuilder row(table);
  row.text("target", "Al").list("answers", Strings{"Al", "the Bob Dylan"}).text("group", "0").end_row(0);
  row.text("target", "the Bob Dylan").list("answers", Strings{"Al", "the Bob Dylan"}).text("group", "0").end_row(0);
  row.text("target", "Eve").list("answers", Strings{"Eve"}).text("group", "1").end_row(0);
  const auto scores = score_task(named_task("superglue/record"), table, Strings{"Bob", "nobody", "Eve!"});
  CHECK(scores.at("exact_match") == Approx(0.5));
  CHECK(scores.at("f1") == Approx((2.0 / 3 + 1) / 2));
  CHECK_THROWS_AS((void)score_task(named_task("squad"), table, Strings{"a"}), ShapeError);
}

TEST_CASE("task_scores: WSC asks whether a text names the referent") {
  CHECK(names_referent("the fuzzy Bunny ", "bunny") == true);
  CHECK(names_referent("Bunny", "a fuzzy bunny") == true);
  CHECK(names_referent("Bob", "Bob's hat") == false);
  CHECK(names_referent("Tom", "Bob") == false);
  CHECK_FALSE(names_referent("the", "Bob").has_value());
  CHECK_FALSE(names_referent("", "Bob").has_value());
  Table table("t");
  RowBuilder row(table);
  for (const char* label : {"true", "false", "false"}) row.text("target", "Bob").text("label", label).end_row(0);
  CHECK(score_task(named_task("superglue/wsc"), table, Strings{"bob", "Tom", ""}).at("accuracy") == Approx(2.0 / 3));
}

}  // namespace task_scores_test
