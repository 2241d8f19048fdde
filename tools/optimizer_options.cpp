#include "tools/optimizer_options.h"

#include <utility>

#include "engine/core/error.h"

namespace preamble {

std::unique_ptr<Optimizer> OptimizerOptions::make(std::vector<Dims> shapes) const {
  if (optim == "adafactor") {
    AdafactorOptions given = adafactor;
    given.weight_decay = weight_decay;
    return make_adafactor(std::move(shapes), given);
  }
  if (optim == "sgd") return make_sgd(std::move(shapes), {momentum, weight_decay});
  require<ConfigError>(optim == "adamw", "--optim: '{}' was given; wanted adamw, adafactor or sgd", optim);
  AdamWOptions given = adamw;
  given.weight_decay = weight_decay;
  return make_adamw(std::move(shapes), given);
}

LearningRate OptimizerOptions::schedule(std::int64_t total_steps, std::int64_t steps_per_epoch) const {
  return {learning_rate, schedule_of(lr_scheduler_type), warmup_steps, total_steps, steps_per_epoch, lr_gamma};
}

void add_options(CLI::App& app, OptimizerOptions& o) {
  const auto group = [&](CLI::Option* option) { option->group("Optimizer")->capture_default_str(); };
  group(
      app.add_option("--optim", o.optim, "adamw, adafactor (as t5x runs it) or sgd")->check(CLI::IsMember({"adamw", "adafactor", "sgd"})));
  group(app.add_option("--learning-rate", o.learning_rate, "peak learning rate")->check(CLI::NonNegativeNumber));
  group(app.add_option("--weight-decay", o.weight_decay, "weight decay (adafactor: not multiplied by the learning rate)")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--max-grad-norm", o.max_grad_norm, "clip gradients to this norm; 0: don't")->check(CLI::NonNegativeNumber));
  group(app.add_option("--adam-beta1", o.adamw.beta1)->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--adam-beta2", o.adamw.beta2)->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--adam-epsilon", o.adamw.epsilon)->check(CLI::NonNegativeNumber));
  group(app.add_option("--momentum", o.momentum, "of sgd")->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--adafactor-decay-rate", o.adafactor.decay_rate)->check(CLI::NonNegativeNumber));
  group(
      app.add_option("--adafactor-step-offset", o.adafactor.step_offset, "global step of the first update")->check(CLI::NonNegativeNumber));
  group(app.add_option("--adafactor-clip-threshold", o.adafactor.clip_threshold)->check(CLI::PositiveNumber));
  group(app.add_option("--adafactor-epsilon", o.adafactor.epsilon)->check(CLI::NonNegativeNumber));
  group(app.add_option("--lr-scheduler-type", o.lr_scheduler_type,
                       "constant, constant_with_warmup, linear, cosine, inverse_sqrt, or exponential (once an epoch)")
            ->check(CLI::IsMember({"constant", "constant_with_warmup", "linear", "cosine", "inverse_sqrt", "exponential"})));
  group(app.add_option("--warmup-steps", o.warmup_steps)->check(CLI::NonNegativeNumber));
  group(app.add_option("--lr-gamma", o.lr_gamma, "exponential: factor of an epoch")->check(CLI::Range(0.0, 1.0)));
}

}  // namespace preamble
