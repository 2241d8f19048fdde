#include <memory>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "tools/commands.h"
#include "tools/score_command.h"

namespace preamble {

void add_score(CLI::App& app) {
  struct Options {
    ScoreArguments arguments;
    std::string layout = "auto";
    std::string scheme = "lenient";
    CommonOptions common;
    bool e2e = false;
    bool list = false;
  };
  auto* command = app.add_subcommand("score", "metrics of predictions against one or many references each");
  const auto options = std::make_shared<Options>();
  ScoreArguments& args = options->arguments;
  metrics::ScoreOptions& files = args.options;
  command->add_option("--predictions", files.hypotheses, "lines, JSONL, the E2E scorer's TSV or CSV, or SQuAD's {id: text}")->check(CLI::ExistingFile);
  command
      ->add_option("--references", files.references,
                   "one or more files: lines (a file each; an empty line: the item has fewer references), groups of lines with blank lines "
                   "between them, the E2E scorer's TSV or CSV, a data set, or a SQuAD file")
      ->check(CLI::ExistingPath);
  command->add_option("--metrics", files.metrics, "names, see --list (default: e2e)")->delimiter(',');
  command->add_flag("--e2e", options->e2e, "the metrics of the E2E challenge: bleu, nist, meteor, rouge_l, cider");
  command->add_option("--layout", options->layout, "of plain references: auto, lines (line k of each file), groups (blank lines between)")
      ->check(CLI::IsMember({"auto", "lines", "groups"}));
  command->add_option("--format", args.format, "of references that are a data set: jsonl, json, tsv, csv, e2e, webnlg, dart");
  command->add_option("--prediction-field", args.prediction_field, "of predictions in JSONL")->capture_default_str();
  command->add_option("--reference-fields", args.reference_fields, "of a data set: its columns of references")->delimiter(',')->capture_default_str();
  command->add_option("--group-by", args.group_by, "of a data set: rows with equal values have one prediction")->capture_default_str();
  command->add_option("--by", args.by, "of a data set: also score the values of this column apart (webnlg: seen)");
  command->add_option("--meteor-jar", files.meteor_jar, "meteor-1.5.jar (default: the environment variable PREAMBLE_METEOR_JAR)");
  command->add_flag("--json", args.json, "one JSON object on standard output");
  command->add_flag("--list", options->list, "list the metrics");
  add_common(*command, options->common);
  command->callback([options] {
    ScoreArguments& given = options->arguments;
    if (options->list) {
      for (const auto& metric : metrics::metric_list()) fmt::print("{:<16} {}\n", metric.name, metric.description);
      return;
    }
    require<ConfigError>(!given.options.hypotheses.empty(), "score: no predictions were given; wanted --predictions FILE");
    if (options->e2e) given.options.metrics.emplace_back("e2e");
    given.options.layout = options->layout == "lines"    ? metrics::ReferenceLayout::lines
                           : options->layout == "groups" ? metrics::ReferenceLayout::groups
                                                         : metrics::ReferenceLayout::automatic;
    score_command(given);
  });
}

}  // namespace preamble
