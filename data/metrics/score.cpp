#include "data/metrics/score.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>

#include <nlohmann/json.hpp>

#include "data/metrics/bleu.h"
#include "data/metrics/chrf.h"
#include "data/metrics/cider.h"
#include "data/metrics/classification.h"
#include "data/metrics/label_scores.h"
#include "data/metrics/meteor.h"
#include "data/metrics/nist.h"
#include "data/metrics/rouge.h"
#include "data/metrics/seqeval.h"
#include "data/metrics/squad.h"
#include "data/metrics/ter.h"
#include "engine/core/error.h"

namespace preamble::metrics {
namespace {

/// The files, each read when a metric first asks for its kind.
class Inputs {
 public:
  explicit Inputs(const ScoreOptions& options) : options_(options) {}
  Inputs(const ScoreOptions& options, const Corpus& corpus) : options_(options), corpus_(corpus), files_(false) {}

  [[nodiscard]] const ScoreOptions& options() const { return options_; }

  /// Of every item the references that it has.
  [[nodiscard]] const Corpus& corpus() {
    if (!present_) present_ = without_empty_references(corpus_with_gaps());
    return *present_;
  }

  /// With the empty references that stand for missing ones.
  [[nodiscard]] const Corpus& corpus_with_gaps() {
    if (!corpus_) corpus_ = read_corpus(options_.hypotheses, options_.references, options_.layout);
    return *corpus_;
  }

  [[nodiscard]] const SequenceScores& sequences() {
    if (!sequences_) sequences_ = score_sequences(read_tag_pairs(hypotheses()), options_.scheme, options_.side);
    return *sequences_;
  }

  [[nodiscard]] const LabelIndices& labels() {
    if (!labels_) labels_ = label_indices(read_lines(hypotheses()), read_lines(reference()));
    return *labels_;
  }

  [[nodiscard]] std::vector<double> predicted_numbers() const {
    return parse_numbers(read_lines(hypotheses()), options_.hypotheses.string());
  }
  [[nodiscard]] std::vector<double> gold_numbers() const { return parse_numbers(read_lines(reference()), reference().string()); }

  [[nodiscard]] SquadScores squad(SquadRules rules) const {
    return squad_scores(read_squad(reference()).questions, read_squad_predictions(hypotheses()), rules);
  }

 private:
  [[nodiscard]] const std::filesystem::path& hypotheses() const {
    require<ConfigError>(files_, "score: a metric of labels, tags or answers was given for generated texts; wanted one of texts");
    return options_.hypotheses;
  }
  [[nodiscard]] const std::filesystem::path& reference() const {
    require<ConfigError>(options_.references.size() == 1, "{}: {} files of references; wanted one", options_.hypotheses.string(),
                         options_.references.size());
    return options_.references.front();
  }

  const ScoreOptions& options_;
  std::optional<Corpus> corpus_, present_;
  bool files_ = true;
  std::optional<SequenceScores> sequences_;
  std::optional<LabelIndices> labels_;
};

struct Metric {
  std::string_view name;
  std::string_view description;
  std::function<void(Inputs&, ScoreReport&)> run;
};

struct Group {
  std::string_view name;
  std::string_view description;
  std::vector<std::string_view> members;
};

/// A metric with a single value of its own name.
template <class Compute>
Metric one(std::string_view name, std::string_view description, Compute compute) {
  return {name, description, [name, compute](Inputs& in, ScoreReport& out) { out.values.emplace_back(name, compute(in)); }};
}

SacreBleuOptions tokenised(SacreTokenizer tokenizer) {
  SacreBleuOptions options;
  options.tokenizer = tokenizer;
  return options;
}

ChrfOptions chrf_plus_plus() {
  ChrfOptions options;
  options.word_order = 2;
  return options;
}

Metric rouge_metric(std::string_view name, std::string_view description, std::string_view suffix, RougeStemming stemming) {
  return {name, description, [suffix, stemming](Inputs& in, ScoreReport& out) {
            const RougeScores scores = rouge(in.corpus(), stemming);
            const auto add = [&](std::string_view type, const RougeScore& value) {
              out.values.emplace_back(std::string(type).append(suffix), 100.0 * value.f1);
            };
            add("rouge1", scores.rouge1);
            add("rouge2", scores.rouge2);
            add("rougeL", scores.rouge_l);
            add("rougeLsum", scores.rouge_lsum);
            out.notes.emplace_back("rouge: plain means of F1; rouge_score's aggregator reports a bootstrap median, which differs slightly");
          }};
}

Metric squad_metric(std::string_view name, std::string_view description, SquadRules rules) {
  return {name, description, [name, rules](Inputs& in, ScoreReport& out) {
            const SquadScores scores = in.squad(rules);
            out.values.emplace_back(std::string(name) + "_exact_match", scores.exact);
            out.values.emplace_back(std::string(name) + "_f1", scores.f1);
            if (scores.missing == 0) return;
            out.notes.push_back(fmt::format("{}: {} questions without a prediction {}", name, scores.missing,
                                            rules == SquadRules::v1 ? "count 0" : "are left out"));
          }};
}

void run_seqeval(Inputs& in, ScoreReport& out) {
  const SequenceScores& scores = in.sequences();
  out.values.emplace_back("seqeval_precision", scores.micro.precision());
  out.values.emplace_back("seqeval_recall", scores.micro.recall());
  out.values.emplace_back("seqeval_f1", scores.micro.f1());
  out.values.emplace_back("seqeval_macro_f1", scores.macro_f1());
  out.values.emplace_back("seqeval_accuracy", scores.accuracy());
}

const std::vector<Metric>& metrics() {
  static const std::vector<Metric> kMetrics = {
      one("bleu", "BLEU of mteval-v13a.pl, lower-cased, 0..1 (E2E)",
          [](Inputs& in) { return mteval_bleu(in.corpus(), MtevalProgram::perl).score; }),
      one("bleu_python", "BLEU of the E2E scorer's Python twin, 0..1",
          [](Inputs& in) { return mteval_bleu(in.corpus(), MtevalProgram::python).score; }),
      one("nist", "NIST of mteval-v13a.pl (E2E)", [](Inputs& in) { return nist(in.corpus(), MtevalProgram::perl).score; }),
      one("nist_python", "NIST of the E2E scorer's Python twin", [](Inputs& in) { return nist(in.corpus(), MtevalProgram::python).score; }),
      one("meteor", "METEOR 1.5 by its own program, 0..1",
          [](Inputs& in) {
            MeteorOptions options;
            options.jar = in.options().meteor_jar;
            return meteor(in.corpus(), options);
          }),
      one("rouge_l", "ROUGE-L of the caption evaluation, 0..1 (E2E)", [](Inputs& in) { return caption_rouge_l(in.corpus()); }),
      one("cider", "CIDEr-D of the caption evaluation, 0..10 (E2E)", [](Inputs& in) { return cider(in.corpus()); }),
      one("multi_bleu", "BLEU of multi-bleu.perl, 0..100", [](Inputs& in) { return multi_bleu(in.corpus(), false).score; }),
      one("multi_bleu_lc", "BLEU of multi-bleu.perl -lc, 0..100 (WebNLG)", [](Inputs& in) { return multi_bleu(in.corpus(), true).score; }),
      // the program itself counts an empty line as a reference of length 0, and published scores with it
      one("multi_bleu_gaps", "the same as the program prints it: an empty line is a reference of length 0",
          [](Inputs& in) { return multi_bleu(in.corpus_with_gaps(), false).score; }),
      one("multi_bleu_lc_gaps", "the same for -lc (published scores of WebNLG and DART)",
          [](Inputs& in) { return multi_bleu(in.corpus_with_gaps(), true).score; }),
      one("sacrebleu", "BLEU of sacreBLEU, tokeniser 13a, 0..100", [](Inputs& in) { return sacre_bleu(in.corpus()).score; }),
      one("sacrebleu_intl", "BLEU of sacreBLEU, tokeniser intl, 0..100 (T5)",
          [](Inputs& in) { return sacre_bleu(in.corpus(), tokenised(SacreTokenizer::international)).score; }),
      one("sacrebleu_none", "BLEU of sacreBLEU without a tokeniser, 0..100",
          [](Inputs& in) { return sacre_bleu(in.corpus(), tokenised(SacreTokenizer::none)).score; }),
      one("chrf", "chrF2 of sacreBLEU, 0..100", [](Inputs& in) { return chrf(in.corpus()); }),
      one("chrf++", "chrF2++ of sacreBLEU, 0..100", [](Inputs& in) { return chrf(in.corpus(), chrf_plus_plus()); }),
      one("ter", "TER of sacreBLEU (tercom), 0 is best", [](Inputs& in) { return ter(in.corpus()).score; }),
      rouge_metric("rouge", "ROUGE-1, -2, -L, -Lsum of rouge_score without stemming, F1, 0..100 (T5)", "", RougeStemming::none),
      rouge_metric("rouge_stem", "the same with Porter stemming (XSUM)", "_stem", RougeStemming::nltk),
      {"seqeval", "precision, recall, F1, macro F1 of entities and accuracy of tokens, 0..1; columns with gold and predicted tags last",
       run_seqeval},
      squad_metric("squad", "exact match and F1 of SQuAD 1.1, 0..100; a missing prediction counts 0", SquadRules::v1),
      squad_metric("squad_v2", "exact match and F1 of SQuAD 2.0, 0..100; a missing prediction is left out", SquadRules::v2),
      one("accuracy", "share of right labels, 0..1", [](Inputs& in) { return accuracy(in.labels().predicted, in.labels().gold); }),
      one("binary_f1", "F1 of label 1, 0..1", [](Inputs& in) { return binary_f1(in.labels().predicted, in.labels().gold); }),
      one("macro_f1", "mean F1 of the labels, 0..1",
          [](Inputs& in) { return macro_f1(in.labels().predicted, in.labels().gold, in.labels().classes); }),
      one("matthews", "Matthews correlation, -1..1",
          [](Inputs& in) { return matthews_correlation(in.labels().predicted, in.labels().gold); }),
      one("pearson", "Pearson correlation, -1..1",
          [](Inputs& in) { return pearson_correlation(in.predicted_numbers(), in.gold_numbers()); }),
      one("spearman", "Spearman correlation, -1..1",
          [](Inputs& in) { return spearman_correlation(in.predicted_numbers(), in.gold_numbers()); }),
  };
  return kMetrics;
}

const std::vector<Group>& groups() {
  static const std::vector<Group> kGroups = {
      {"e2e", "the E2E challenge: bleu, nist, meteor, rouge_l, cider", {"bleu", "nist", "meteor", "rouge_l", "cider"}},
      {"webnlg", "the WebNLG 2017 challenge: multi_bleu_lc, meteor, ter", {"multi_bleu_lc", "meteor", "ter"}},
  };
  return kGroups;
}

const Metric* find_metric(std::string_view name) {
  const auto found = std::find_if(metrics().begin(), metrics().end(), [&](const Metric& metric) { return metric.name == name; });
  return found == metrics().end() ? nullptr : &*found;
}

void run_group(const Group& group, Inputs& in, ScoreReport& out) {
  for (const std::string_view member : group.members) {
    try {
      find_metric(member)->run(in, out);
    } catch (const UnsupportedError& error) {
      out.notes.push_back(fmt::format("{} left out: {}", member, error.what()));
    }
  }
}

std::string known_names() {
  std::string names;
  for (const MetricInfo& info : metric_list()) names += (names.empty() ? "" : ", ") + info.name;
  return names;
}

}  // namespace

bool scores_files(std::string_view name) {
  constexpr std::array<std::string_view, 9> kOfFiles = {"seqeval",  "squad",    "squad_v2", "accuracy", "binary_f1",
                                                        "macro_f1", "matthews", "pearson",  "spearman"};
  return std::ranges::find(kOfFiles, name) != kOfFiles.end();
}

std::vector<MetricInfo> metric_list() {
  std::vector<MetricInfo> list;
  for (const Metric& metric : metrics()) list.push_back({std::string(metric.name), std::string(metric.description)});
  for (const Group& group : groups()) list.push_back({std::string(group.name), std::string(group.description)});
  return list;
}

namespace {

ScoreReport run(const std::vector<std::string>& names, Inputs inputs) {
  require<ConfigError>(!names.empty(), "score: no metric; wanted one or more of {}", known_names());
  ScoreReport report;
  for (const std::string& name : names) {
    const auto group = std::find_if(groups().begin(), groups().end(), [&](const Group& g) { return g.name == name; });
    const Metric* metric = find_metric(name);
    require<ConfigError>(metric != nullptr || group != groups().end(), "metric '{}': unknown; wanted one of {}", name, known_names());
    metric != nullptr ? metric->run(inputs, report) : run_group(*group, inputs, report);
  }
  return report;
}

}  // namespace

ScoreReport score(const ScoreOptions& options) { return run(options.metrics, Inputs(options)); }

ScoreReport score(const std::vector<std::string>& metrics, const Corpus& corpus, const std::filesystem::path& meteor_jar) {
  ScoreOptions options;
  options.meteor_jar = meteor_jar;
  return run(metrics, Inputs(options, corpus));
}

std::string to_json(const ScoreReport& report) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : report.values) json[name] = value;
  if (!report.notes.empty()) json["notes"] = report.notes;
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace preamble::metrics
