// What reduced precision does to the loss and to the gradient of a method, beside float32: types of frozen weights, activations in bf16, kept
// values in fewer bytes.
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/core/error.h"
#include "models/open_model.h"
#include "models/weight_type.h"
#include "peft/made_up_training.h"
#include "peft/training_step.h"

namespace preamble::bench {
namespace {

struct Options {
  std::vector<std::filesystem::path> models;
  std::vector<std::string> precisions = {"bf16", "int8", "int4-32", "int4-64", "nf4-32", "nf4-64", "compute-bf16", "kept-bf16", "kept-int8"};
  std::vector<std::string> methods = {"prompt", "prefix"};
  std::int64_t tokens = 32;
  bool markdown = false;
};

/// What is reduced: the type of frozen matrices, that of activations, or the form of values that are kept for the backward pass.
struct Precision {
  Parameters::Options parameters = {};
  Budget memory = Budget::none();
};

Precision precision_of(const std::string& name) {
  Precision precision;
  if (name == "compute-bf16") {
    precision.parameters.activations = Dtype::bf16;
  } else if (name.starts_with("kept-")) {
    precision.memory = Budget::parse("none", name.substr(5));
  } else {
    precision.parameters.weights = weight_type_of(name);
  }
  return precision;
}

std::vector<std::string> precision_names() {
  std::vector<std::string> names = weight_type_names();
  names.insert(names.end(), {"compute-bf16", "kept-bf16", "kept-int8"});
  return names;
}

struct Differentiated {
  double loss = 0;
  std::vector<float> gradient;
  std::size_t bytes = 0;  ///< of the weights
};

Differentiated differentiate(const Options& options, const std::filesystem::path& folder, const std::string& method,
                             const std::string& name) {
  const Precision precision = precision_of(name);
  const auto model = open_model(folder, precision.parameters);
  const BatchShape shape{.sequences = 4, .source = options.tokens, .target = options.tokens / 2, .tokens = options.tokens};
  const auto examples = made_up_examples(shape, *model, 1);
  const auto conditioned = made_up_method({.method = method, .virtual_tokens = 8}, *model, 2);
  TrainingStepOptions step_options;
  step_options.memory = precision.memory;
  TrainingStep step(made_up_loss(shape, *model, examples), *conditioned, step_options);
  const std::array batch = {whole_batch(step.model(), examples)};
  Differentiated result;
  result.loss = step.differentiate(batch).loss;
  for (std::size_t i = 0; i < step.trainables().size(); ++i) {
    const auto gradient = step.gradient(i);
    result.gradient.insert(result.gradient.end(), gradient.begin(), gradient.end());
  }
  for (const auto& [tensor_name, tensor] : model->parameters().loaded()) result.bytes += tensor.bytes();
  return result;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

/// `fixtures/llama/model` as `llama`, `models/gpt2` as `gpt2`.
std::string short_name(const std::filesystem::path& folder) {
  const auto last = folder.filename().empty() ? folder.parent_path() : folder;
  return last.filename() == "model" ? last.parent_path().filename().string() : last.filename().string();
}

void print_lines(const Options& options, const std::filesystem::path& model, const std::string& method) {
  const Differentiated exact = differentiate(options, model, method, "f32");
  const std::string name = short_name(model);
  fmt::print("{:<16} {:<8} {:<13} {:>10} {:>12.6f}\n", name, method, "f32", exact.bytes, exact.loss);
  for (const auto& precision : options.precisions) {
    const Differentiated given = differentiate(options, model, method, precision);
    fmt::print("{:<16} {:<8} {:<13} {:>10} {:>12.6f} {:>12.2e} {:>10.2e}\n", name, method, precision, given.bytes, given.loss,
               given.loss - exact.loss, 1 - cosine(given.gradient, exact.gradient));
  }
}

/// A row of a table: difference of the loss in parts of it, and one less the cosine.
void print_row(const Options& options, const std::filesystem::path& model, const std::string& method) {
  const Differentiated exact = differentiate(options, model, method, "f32");
  fmt::print("| {}, {} | {:.4f} |", short_name(model), method, exact.loss);
  for (const auto& precision : options.precisions) {
    const Differentiated given = differentiate(options, model, method, precision);
    fmt::print(" {:.0e}, {:.0e} |", std::abs(given.loss - exact.loss) / std::abs(exact.loss), 1 - cosine(given.gradient, exact.gradient));
  }
  fmt::print("\n");
}

void run(const Options& options) {
  if (options.markdown) {
    fmt::print("| model, method | loss | {} |\n|---|---|", fmt::join(options.precisions, " | "));
    for (std::size_t i = 0; i < options.precisions.size(); ++i) fmt::print("---|");
    fmt::print("\n");
  } else {
    fmt::print("{:<16} {:<8} {:<13} {:>10} {:>12} {:>12} {:>10}\n", "model", "method", "precision", "bytes", "loss", "loss - f32", "1 - cosine");
  }
  for (const auto& model : options.models) {
    for (const auto& method : options.methods) {
      // a folder that no such method goes with is no reason to stop
      try {
        options.markdown ? print_row(options, model, method) : print_lines(options, model, method);
      } catch (const Error& error) {
        fmt::print(stderr, "precision: {}, {}: left out: {}\n", short_name(model), method, error.what());
      }
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace preamble::bench

int main(int argc, char** argv) {
  using namespace preamble::bench;
  Options options;
  CLI::App app("loss and gradient of a step on made-up examples in reduced precision, beside float32");
  app.add_option("models", options.models, "Hugging Face folders")->required()->check(CLI::ExistingDirectory);
  app.add_option("--precision", options.precisions, "types of the frozen weights, and compute-bf16, kept-bf16, kept-int8, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(precision_names()));
  app.add_flag("--markdown", options.markdown, "a table: difference of the loss in parts of it, and one less the cosine of the gradients");
  app.add_option("--method", options.methods, "methods, separated by commas")->delimiter(',')->check(CLI::IsMember({"prompt", "prefix"}));
  app.add_option("--tokens", options.tokens, "tokens of a sequence or a source")->check(CLI::Range(4, 1 << 12))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "precision: {}\n", error.what());
    return 1;
  }
  return 0;
}
