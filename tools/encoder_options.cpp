#include "tools/encoder_options.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/superglue.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"
#include "tools/task_options.h"

namespace preamble {

void EncoderOptions::add_to(CLI::App& app) {
  app_ = &app;
  const auto group = [](CLI::Option* option) { return option->group("Task of an encoder"); };
  group(app.add_option(
               "--task", task_,
               "task of the head: SEQ_CLS, MULTIPLE_CHOICE, TOKEN_CLS, QUESTION_ANS, or MASKED_LM (a verbalizer: --labels gives the words "
               "and --input holds the mask token)")
            ->check(CLI::IsMember({"SEQ_CLS", "MULTIPLE_CHOICE", "TOKEN_CLS", "QUESTION_ANS", "MASKED_LM"})));
  group(app.add_option("--pair", values_.pair, "template of the second text of a pair"));
  group(
      app.add_option(
             "--choice", values_.choices,
             "MULTIPLE_CHOICE: template of one choice, which follows --input as the second text of a pair; give the option once per choice "
             "(rows may lack the last ones); the label is the number of the right choice from 0, or a value of --labels")
          ->allow_extra_args(false));
  group(
      app.add_option(
             "--pooler", pooler_,
             "SEQ_CLS, MULTIPLE_CHOICE: what stands between [CLS] and the classifier; auto: as in transformers (BERT, DeBERTa: the pooler; "
             "RoBERTa: a dense layer of the head), frozen: the checkpoint's pooler, trained: a pooler trained with the head, none: nothing")
          ->check(CLI::IsMember({"auto", "frozen", "trained", "none"})));
  group(app.add_option(
               "--verbalizer-loss", values_.verbalizer_loss,
               "MASKED_LM: the loss normalises over the whole vocabulary (default), or over the words of --labels alone, which is cheaper")
            ->check(CLI::IsMember({"vocabulary", "labels"})));
  group(app.add_flag("--regression", values_.regression, "SEQ_CLS: the label is a number"));
  group(app.add_option(
               "--superglue", values_.superglue,
               "name of the SuperGLUE task of the files, which sets templates, labels and metric (SEQ_CLS; copa also MULTIPLE_CHOICE)")
            ->check(CLI::IsMember(superglue_names())));
  group(app.add_option("--max-length", values_.max_length, "largest number of tokens per sequence (default: 128; QUESTION_ANS: 384)")
            ->check(CLI::PositiveNumber));
  group(app.add_option("--layout", values_.layout,
                       "TOKEN_CLS: layout of the file: columns (a word and its tag per line) or roles (CoNLL-U with PropBank columns)")
            ->check(CLI::IsMember({"columns", "roles"})));
  group(app.add_option("--word-column", values_.word_column,
                       "TOKEN_CLS: number of the column of words, from 0; negative numbers count from the last column (default: 0)"));
  group(
      app.add_option("--tag-column", values_.tag_column, "TOKEN_CLS: number of the column of tags, counted in the same way (default: -1)"));
  group(app.add_option("--doc-stride", values_.doc_stride,
                       "QUESTION_ANS: number of tokens that neighbouring windows of a long text share (default: 128)")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--n-best-size", values_.n_best_size, "QUESTION_ANS: number of candidate answers (default: 20)")
            ->check(CLI::PositiveNumber));
  group(
      app.add_option("--max-answer-length", values_.max_answer_length, "QUESTION_ANS: largest number of tokens of an answer (default: 30)")
          ->check(CLI::PositiveNumber));
  group(app.add_flag("--version-2-with-negative", values_.version_2_with_negative,
                     "QUESTION_ANS: some questions have no answer (SQuAD 2.0)"));
  if (app.get_name() == "train") {
    group(app.add_option("--tasks", tasks_file_,
                         "JSON file of several tasks that share the prompt and have a head each; the README shows its form")
              ->check(CLI::ExistingFile));
  }
}

bool EncoderOptions::given() const { return !task_.empty() || !values_.superglue.empty() || tasks_file_.has_value(); }

void EncoderOptions::require_fit(std::optional<HeadKind> kind) const {
  using enum HeadKind;
  static const std::vector<std::pair<const char*, std::vector<HeadKind>>> kKinds = {
      {"--pair", {sequence, masked_lm}},
      {"--choice", {choice}},
      {"--pooler", {sequence, choice}},
      {"--verbalizer-loss", {masked_lm}},
      {"--regression", {sequence}},
      {"--superglue", {sequence, choice}},
      {"--max-length", {sequence, choice, tokens, span, masked_lm}},
      {"--layout", {tokens}},
      {"--word-column", {tokens}},
      {"--tag-column", {tokens}},
      {"--doc-stride", {span}},
      {"--n-best-size", {span}},
      {"--max-answer-length", {span}},
      {"--version-2-with-negative", {span}},
  };
  for (const auto& [name, kinds] : kKinds) {
    if (app_->count(name) == 0 || (kind && std::ranges::find(kinds, *kind) != kinds.end())) continue;
    std::vector<std::string_view> wanted;
    for (const auto one : kinds) wanted.push_back(name_of(one));
    raise<ConfigError>("{}: goes with --task {}; {}", name, fmt::join(wanted, " or "),
                       kind          ? fmt::format("{} was given", name_of(*kind))
                       : tasks_file_ ? "--tasks was given, whose file says it"
                                     : "none was given");
  }
}

EncoderTask EncoderOptions::task(const std::optional<EncoderTask>& kept) const {
  EncoderTask task = kept.value_or(EncoderTask());
  const auto set = [&](const char* name, auto& field, const auto& value) {
    if (app_->count(name) > 0) field = value;
  };
  if (!task_.empty()) task.kind = head_kind_of(task_);
  set("--superglue", task.superglue, values_.superglue);
  if (app_->count("--superglue") > 0) {
    if (task_.empty() && !kept && superglue_task(task.superglue).choices) task.kind = HeadKind::choice;
  }
  require_fit(task.kind);
  if (app_->count("--superglue") > 0) task.apply_superglue();
  const auto text = [&](const char* name, std::string& field) {
    if (app_->count(name) > 0) field = app_->get_option(name)->as<std::string>();
  };
  text("--input", task.text);
  text("--labels", task.labels);
  text("--label-column", task.label_column);
  set("--pair", task.pair, values_.pair);
  set("--choice", task.choices, values_.choices);
  set("--pooler", task.pooler, pooler_of(pooler_));
  set("--verbalizer-loss", task.verbalizer_loss, values_.verbalizer_loss);
  set("--regression", task.regression, values_.regression);
  set("--max-length", task.max_length, values_.max_length);
  set("--layout", task.layout, values_.layout);
  set("--word-column", task.word_column, values_.word_column);
  set("--tag-column", task.tag_column, values_.tag_column);
  set("--doc-stride", task.doc_stride, values_.doc_stride);
  set("--n-best-size", task.n_best_size, values_.n_best_size);
  set("--max-answer-length", task.max_answer_length, values_.max_answer_length);
  set("--version-2-with-negative", task.version_2_with_negative, values_.version_2_with_negative);
  return task;
}

void report_data(const std::filesystem::path& file, const LabelledData& data) {
  report_truncation(file, data.truncation());
  for (const auto& remark : data.remarks()) warn(remark);
}

}  // namespace preamble
