#include "tools/generation_options.h"

namespace preamble {

void GenerationOptions::add_to(CLI::App& app) {
  app_ = &app;
  const auto group = [&](CLI::Option* option) { option->group("Generation"); };
  group(app.add_option("--num-beams", given_.num_beams, "number of beams; 1: greedy search or sampling")->check(CLI::PositiveNumber));
  group(app.add_option("--length-penalty", given_.length_penalty,
                       "exponent of the length by which log-probabilities of finished beams are divided"));
  group(app.add_flag("--early-stopping", early_stopping_, "end a beam search as soon as num-beams sequences are finished"));
  group(app.add_option("--max-new-tokens", max_new_tokens_, "largest number of generated tokens")->check(CLI::NonNegativeNumber));
  group(app.add_option("--min-new-tokens", min_new_tokens_, "number of tokens before which no end token is generated")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--suppress-tokens", given_.suppress_tokens, "token ids that are never generated, separated by commas")
            ->delimiter(','));
  group(app.add_option("--no-repeat-ngram-size", given_.no_repeat_ngram_size,
                       "size of n-grams that may not occur twice in a text; 0: no limit")
            ->check(CLI::NonNegativeNumber));
  group(
      app.add_option("--repetition-penalty", given_.repetition_penalty, "factor that weakens tokens which were generated already; 1: none")
          ->check(CLI::PositiveNumber));
  group(app.add_option("--forced-bos-token-id", forced_bos_, "id of the first generated token")->check(CLI::NonNegativeNumber));
  group(app.add_option("--forced-eos-token-id", forced_eos_, "id of the last token when the length limit is reached")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--num-return-sequences", given_.num_return_sequences, "number of texts per input")->check(CLI::PositiveNumber));
  group(app.add_flag("--do-sample", given_.do_sample, "sample tokens instead of taking the most probable one"));
  group(app.add_option("--temperature", given_.temperature, "sampling: divisor of the logits")->check(CLI::PositiveNumber));
  group(app.add_option("--top-k", given_.top_k, "sampling: number of most probable tokens to draw from; 0: all")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--top-p", given_.top_p, "sampling: draw from the most probable tokens that reach this probability together")
            ->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--generation-seed", given_.seed, "sampling: seed"));
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
