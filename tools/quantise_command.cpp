#include "tools/quantise_command.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "peft/quantised_folder.h"

namespace preamble {
namespace {

nlohmann::ordered_json to_json(const QuantisedModel& model) {
  nlohmann::ordered_json matrices = nlohmann::ordered_json::array();
  for (const auto& m : model.matrices) {
    matrices.push_back({{"name", m.name},
                        {"type", name_of(m.dtype)},
                        {"dims", m.dims},
                        {"bytes", m.bytes},
                        {"relative_error", m.error.relative},
                        {"largest_error", m.error.largest}});
  }
  return {{"matrices", matrices}, {"bytes", model.bytes}, {"float32_bytes", model.source_bytes}};
}

}  // namespace

int quantise_command(const QuantiseArguments& args) {
  const QuantisedModel model = quantise_model_folder(args.model, args.output, args.weights.parameters());
  if (args.json) {
    fmt::print("{}\n", to_json(model).dump(2));
    return 0;
  }
  fmt::print("{:<12} {:>14} {:>12} {:>10} {:>10}  matrix\n", "type", "dims", "bytes", "relative", "largest");
  for (const auto& m : model.matrices) {
    fmt::print("{:<12} {:>14} {:>12} {:>10.5f} {:>10.3g}  {}\n", name_of(m.dtype), to_string(m.dims), m.bytes, m.error.relative,
               m.error.largest, m.name);
  }
  fmt::print("{}: {} bytes, {:.3f} of float32\n", args.output.string(), model.bytes,
             static_cast<double>(model.bytes) / static_cast<double>(model.source_bytes));
  return 0;
}

}  // namespace preamble
