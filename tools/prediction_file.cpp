#include "tools/prediction_file.h"

#include <algorithm>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "engine/core/file.h"
#include "engine/distributed/communicator.h"

namespace preamble {

void write_predictions(const std::optional<std::filesystem::path>& path, const std::function<void(const JsonSink&)>& produce) {
  if (!world().is_root()) {
    produce([](const nlohmann::ordered_json&) {});
  } else if (!path) {
    write_jsonl(std::cout, produce);
  } else if (path->extension() == ".txt") {
    std::string lines;
    produce([&](const nlohmann::ordered_json& row) {
      const auto& prediction = row.at("prediction");
      std::string text = prediction.is_string() ? prediction.get<std::string>() : prediction.dump();
      std::ranges::replace(text, '\n', ' ');
      lines += text + "\n";
    });
    write_atomically(*path, lines);
  } else {
    write_jsonl(*path, produce);
  }
}

}  // namespace preamble
