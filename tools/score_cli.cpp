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
  auto* command = app.add_subcommand("score", "compute metrics of predictions against one or more references for each");
  const auto options = std::make_shared<Options>();
  ScoreArguments& args = options->arguments;
  metrics::ScoreOptions& files = args.options;
  command->add_option("--predictions", files.hypotheses, "lines, JSONL, the E2E scorer's TSV or CSV, or SQuAD's {id: text}")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--references", files.references,
                   "one or more files: lines (a file each; an empty line: the item has fewer references), groups of lines with blank lines "
                   "between them, the E2E scorer's TSV or CSV, a data set, or a SQuAD file")
      ->check(CLI::ExistingPath);
  command->add_option("--metrics", files.metrics, "names of metrics, separated by commas; --list shows them (default: e2e)")
      ->delimiter(',');
  command->add_flag("--e2e", options->e2e, "the metrics of the E2E challenge: bleu, nist, meteor, rouge_l, cider");
  command
      ->add_option("--layout", options->layout,
                   "layout of plain references: lines (line k of each file belongs to prediction k), groups (one file, blank lines between "
                   "items), or auto")
      ->check(CLI::IsMember({"auto", "lines", "groups"}));
  command->add_option("--format", args.format, "format of a data set of references: jsonl, json, tsv, csv, pairs, e2e, webnlg, dart");
  command->add_option("--prediction-field", args.prediction_field, "field of the prediction in JSONL")->capture_default_str();
  command->add_option("--reference-fields", args.reference_fields, "columns of the references in a data set, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--group-by", args.group_by, "column of a data set whose equal values share one prediction")->capture_default_str();
  command->add_option("--by", args.by, "column of a data set; each of its values is also scored separately (webnlg: seen)");
  command->add_option("--meteor-jar", files.meteor_jar, "path of meteor-1.5.jar (default: the environment variable PREAMBLE_METEOR_JAR)");
  command->add_flag("--json", args.json, "print one JSON object to standard output");
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
