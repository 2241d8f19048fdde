#include "tools/ensemble_command.h"

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/tasks/task_scores.h"
#include "engine/core/error.h"
#include "engine/core/stop_watch.h"
#include "peft/evaluation.h"
#include "peft/tasks/ensemble_predictor.h"
#include "peft/text_ensemble.h"
#include "tools/ensemble_table.h"
#include "tools/eval_encoder.h"
#include "tools/loaded_model.h"
#include "tools/prediction_file.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

/// What a run has found, for both kinds of tasks.
struct Found {
  EnsembleTable table;
  std::size_t examples = 0;
  double seconds = 0;  ///< of the pass that all members share
};

void print(const EnsembleArguments& args, const Found& found) {
  if (args.json) {
    Json json = {{"file", args.file.string()}, {"examples", found.examples}, {"seconds", found.seconds}};
    json.update(found.table.json());
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{}: {} examples, {} members in one pass of {:.2f} s\n{}", args.file.string(), found.examples, args.adapters.size(),
             found.seconds, found.table.text());
}

Found run_text(const EnsembleArguments& args, const TaskOptions& files, const GenerationOptions& options) {
  const LoadedModel loaded(args.model, args.adapters, args.weights);
  const TextTask task = loaded.task(files, args.file);
  Table table = files.load(task, args.file, TaskUse::evaluation);
  TruncationReport report;
  auto examples = examples_of(task, table, *loaded.tokenizer, true, report);
  report_truncation(args.file, report);
  GenerationConfig generation = loaded.generation(task);
  options.apply(generation);
  const AnswerScorer scores_of =
      task.name.empty() ? answer_scorer(task, examples, references_of(task, table)) : scorer_of(task.name, table);
  Found found;
  found.examples = examples.size();
  TextEnsemble ensemble(*loaded.model, *loaded.method, *loaded.tokenizer, task, static_cast<std::int32_t>(args.adapters.size()),
                        std::move(generation), args.batch_size);
  const StopWatch watch;
  ensemble.read(std::move(examples));
  found.seconds = watch.seconds();
  for (std::size_t m = 0; m < args.adapters.size(); ++m)
    found.table.add_member(args.adapters[m].string(), scores_of(ensemble.member(static_cast<std::int32_t>(m))));
  for (std::size_t w = 0; w < args.ways.size(); ++w) {
    const auto answers = ensemble.together(vote_way_of(args.ways[w]));
    found.table.add_ensemble(args.ways[w], scores_of(answers));
    if (w > 0 || !args.output) continue;
    write_predictions(args.output, [&](const JsonSink& sink) {
      for (std::size_t i = 0; i < answers.size(); ++i) sink(Json{{"row", i}, {"prediction", answers[i]}});
    });
  }
  return found;
}

Found run_heads(const EnsembleArguments& args, const TaskOptions& files, const EncoderOptions& options) {
  const EvalArguments as_eval{.model = args.model, .adapters = args.adapters, .file = args.file, .output = {}, .weights = args.weights};
  const StopWatch watch;
  const MemberPredictions said = predict_members(as_eval, files, options);
  Found found;
  found.examples = said.data->examples().size();
  found.seconds = watch.seconds();
  for (std::size_t m = 0; m < args.adapters.size(); ++m)
    found.table.add_member(args.adapters[m].string(), said.data->score(said.logits[m]));
  for (std::size_t w = 0; w < args.ways.size(); ++w) {
    const auto logits = combined_predictions(*said.data, said.logits, said.shape, vote_way_of(args.ways[w]));
    found.table.add_ensemble(args.ways[w], said.data->score(logits));
    if (w == 0 && args.output) write_predictions(args.output, [&](const JsonSink& sink) { said.data->predict(logits, sink); });
  }
  return found;
}

}  // namespace

int ensemble_command(const EnsembleArguments& args, const TaskOptions& task, const EncoderOptions& encoder,
                     const GenerationOptions& generation) {
  for (const auto& way : args.ways) (void)vote_way_of(way);
  require<ConfigError>(args.adapters.size() > 1, "--adapter: {} was given; wanted two at least, each with its own --adapter",
                       args.adapters.size());
  const EvalArguments as_eval{.model = args.model, .adapters = args.adapters, .file = args.file, .output = {}};
  if (is_encoder_task(as_eval, encoder)) {
    print(args, run_heads(args, task, encoder));
  } else {
    encoder.require_fit({});
    print(args, run_text(args, task, generation));
  }
  return 0;
}

}  // namespace preamble
