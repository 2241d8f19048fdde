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

LearningRate OptimizerOptions::schedule(std::int64_t total_steps, std::int64_t steps_per_epoch, double otherwise) const {
  return {learning_rate.value_or(otherwise), schedule_of(lr_scheduler_type), warmup_steps, total_steps, steps_per_epoch, lr_gamma, lr_step_offset};
}

void add_options(CLI::App& app, OptimizerOptions& o) {
  const auto group = [&](CLI::Option* option) { option->group("Optimizer")->capture_default_str(); };
  group(
      app.add_option("--optim", o.optim, "adamw, adafactor (as t5x runs it) or sgd")->check(CLI::IsMember({"adamw", "adafactor", "sgd"})));
  app.add_option(
         "--learning-rate", o.learning_rate,
         "peak learning rate (default by method and optimizer: adafactor 0.3, full 1e-3; adamw prompt 0.03, prefix and head 1e-2, ptuning "
         "3e-3, prefix with projection and full 5e-5; sgd 0.3, full 1e-2)")
      ->check(CLI::NonNegativeNumber)
      ->group("Optimizer");
  group(app.add_option("--weight-decay", o.weight_decay, "weight decay; adafactor does not multiply it by the learning rate")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--max-grad-norm", o.max_grad_norm, "largest norm of the gradient, which is scaled down to it; 0: no limit")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--adam-beta1", o.adamw.beta1, "adamw: decay rate of the first moment")->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--adam-beta2", o.adamw.beta2, "adamw: decay rate of the second moment")->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--adam-epsilon", o.adamw.epsilon, "adamw: added to the root of the second moment")->check(CLI::NonNegativeNumber));
  group(app.add_option("--momentum", o.momentum, "sgd: momentum")->check(CLI::Range(0.0, 1.0)));
  group(app.add_option("--adafactor-decay-rate", o.adafactor.decay_rate, "adafactor: exponent of the second moment's decay")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--adafactor-step-offset", o.adafactor.step_offset,
                       "adafactor: number of the first update, as if training went on from there")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--adafactor-clip-threshold", o.adafactor.clip_threshold, "adafactor: largest root mean square of an update")
            ->check(CLI::PositiveNumber));
  app.add_flag("--adafactor-scale-parameter,!--no-adafactor-scale-parameter", o.adafactor.scale_parameter,
               "adafactor: multiply the learning rate by the root mean square of each parameter, 1e-3 at least (T5's pretraining)")
      ->group("Optimizer");
  group(app.add_option("--adafactor-epsilon", o.adafactor.epsilon, "adafactor: added to squared gradients")->check(CLI::NonNegativeNumber));
  group(app.add_option("--lr-scheduler-type", o.lr_scheduler_type,
                       "course of the learning rate: constant, constant_with_warmup, linear, cosine, inverse_sqrt, exponential (one "
                       "factor per epoch), or noam (T5's: the peak for --warmup-steps, 10000 if 0, then its inverse square root)")
            ->check(CLI::IsMember({"constant", "constant_with_warmup", "linear", "cosine", "inverse_sqrt", "exponential", "noam"})));
  group(app.add_option("--warmup-steps", o.warmup_steps, "updates during which the rate rises from 0 to its peak")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--lr-step-offset", o.lr_step_offset, "noam: updates that the checkpoint has seen before the first one")
            ->check(CLI::NonNegativeNumber));
  group(app.add_option("--lr-gamma", o.lr_gamma, "exponential: factor per epoch")->check(CLI::Range(0.0, 1.0)));
}

}  // namespace preamble
