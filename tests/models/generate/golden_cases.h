// Reading tests/golden/generate/*.json.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "engine/core/file.h"
#include "models/generate/generation_config_file.h"
#include "tests/models/generate/toy_decoder.h"
#include "tests/support/golden.h"

namespace preamble::testing {

using Sequences = std::vector<std::vector<std::int32_t>>;

[[nodiscard]] inline nlohmann::json golden_cases(std::string_view name) {
  return nlohmann::json::parse(read_text(golden(name))).at("cases");
}

[[nodiscard]] inline GenerationConfig options_of(const nlohmann::json& options) {
  return read_generation_config(JsonFile::parse(options.dump(), "golden options"));
}

[[nodiscard]] inline ToyModel toy_model(const nlohmann::json& model) {
  return {model.at("vocabulary"), model.at("order"), model.at("seed"), model.at("scale"), model.at("ends"), model.at("end_bias")};
}

}  // namespace preamble::testing
