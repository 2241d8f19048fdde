#include "tools/generation_options.h"

namespace preamble {

void GenerationOptions::add_to(CLI::App& app) {
  app_ = &app;
  const auto group = [&](CLI::Option* option) { option->group("Generation"); };
  group(app.add_option("--num-beams", given_.num_beams, "beams of the search; 1: greedy or sampling")->check(CLI::PositiveNumber));
  group(app.add_option("--length-penalty", given_.length_penalty, "beams are ranked by log-probability / length^penalty"));
  group(app.add_flag("--early-stopping", early_stopping_, "end a beam search as soon as num-beams sequences are finished"));
  group(app.add_option("--max-new-tokens", max_new_tokens_, "bound of the generated tokens")->check(CLI::NonNegativeNumber));
  group(app.add_option("--min-new-tokens", min_new_tokens_, "no end token before so many")->check(CLI::NonNegativeNumber));
  group(app.add_option("--suppress-tokens", given_.suppress_tokens, "ids that are never generated")->delimiter(','));
  group(app.add_option("--no-repeat-ngram-size", given_.no_repeat_ngram_size, "no n-gram of this size twice")->check(CLI::NonNegativeNumber));
  group(app.add_option("--repetition-penalty", given_.repetition_penalty)->check(CLI::PositiveNumber));
  group(app.add_option("--forced-bos-token-id", forced_bos_)->check(CLI::NonNegativeNumber));
  group(app.add_option("--forced-eos-token-id", forced_eos_)->check(CLI::NonNegativeNumber));
  group(app.add_option("--num-return-sequences", given_.num_return_sequences)->check(CLI::PositiveNumber));
  group(app.add_flag("--do-sample", given_.do_sample, "sample instead of taking the best"));
  group(app.add_option("--temperature", given_.temperature)->check(CLI::PositiveNumber));
  group(app.add_option("--top-k", given_.top_k)->check(CLI::NonNegativeNumber));
  group(app.add_option("--top-p", given_.top_p)->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--generation-seed", given_.seed, "seed of the samples"));
}

void GenerationOptions::apply(GenerationConfig& config) const {
  const auto given = [&](const char* name) { return app_->count(name) > 0; };
  if (given("--num-beams")) config.num_beams = given_.num_beams;
  if (given("--length-penalty")) config.length_penalty = given_.length_penalty;
  if (given("--early-stopping")) config.early_stopping = EarlyStopping::yes;
  if (given("--max-new-tokens")) config.max_new_tokens = max_new_tokens_;
  if (given("--min-new-tokens")) config.min_new_tokens = min_new_tokens_;
  if (given("--suppress-tokens")) config.suppress_tokens = given_.suppress_tokens;
  if (given("--no-repeat-ngram-size")) config.no_repeat_ngram_size = given_.no_repeat_ngram_size;
  if (given("--repetition-penalty")) config.repetition_penalty = given_.repetition_penalty;
  if (given("--forced-bos-token-id")) config.forced_bos_token_id = forced_bos_;
  if (given("--forced-eos-token-id")) config.forced_eos_token_id = forced_eos_;
  if (given("--num-return-sequences")) config.num_return_sequences = given_.num_return_sequences;
  if (given("--do-sample")) config.do_sample = given_.do_sample;
  if (given("--temperature")) config.temperature = given_.temperature;
  if (given("--top-k")) config.top_k = given_.top_k;
  if (given("--top-p")) config.top_p = given_.top_p;
  if (given("--generation-seed")) config.seed = given_.seed;
}

}  // namespace preamble
