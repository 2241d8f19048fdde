#include "tools/inspect_command.h"

#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/file.h"
#include "peft/inspection.h"
#include "tools/progress.h"
#include "tools/report_page.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& value) {
  return value.is_null() ? "not given" : value.is_string() ? value.get<std::string>() : value.dump();
}

std::string range_of(const Json& norms) {
  return fmt::format("{:.4g} to {:.4g}, mean {:.4g}", norms["min"].get<double>(), norms["max"].get<double>(), norms["mean"].get<double>());
}

void print_task_and_files(const Json& j) {
  if (j.contains("task")) {
    const Json& task = j["task"];
    const bool classes = !task["labels"].get<std::string>().empty();
    fmt::print("  task             {} -> {}\n", text_of(task["input"]), text_of(task[classes ? "labels" : "target"]));
  }
  for (const auto& [name, size] : j["files"].items()) fmt::print("  {:<32} {}\n", name, human_bytes(size.get<std::int64_t>()));
}

void print_share(const Json& j) {
  fmt::print("  trainable        {}", j["trainable"].get<std::int64_t>());
  if (j.contains("trainable_percent"))
    fmt::print(" of {} parameters ({:.4f} %)", text_of(j["parameters"]), j["trainable_percent"].get<double>());
  fmt::print("\n");
  if (!j.contains("weights_bytes")) return;
  for (const auto& [type, bytes] : j["weights_bytes"].items()) fmt::print("  weights {:<8} {}\n", type, human_bytes(bytes.get<std::int64_t>()));
}

void print_placement(const Json& j) {
  if (j["placement"] == "infix") fmt::print("  placement        infix, between source and target\n");
}

void print_native(const Json& j) {
  fmt::print("{}: {}, {} positions\n", text_of(j["adapter"]), text_of(j["format"]), text_of(j["positions"]));
  print_placement(j);
  print_share(j);
  for (const auto& [name, site] : j["sites"].items()) {
    fmt::print("  {:<16} {} virtual tokens, {} heads of {}, layers {}\n", name, text_of(site["num_virtual_tokens"]), text_of(site["heads"]),
               text_of(site["head_dim"]), text_of(site["layers"]));
    fmt::print("    norm of a key    {}\n    norm of a value  {}\n", range_of(site["key_norm"]), range_of(site["value_norm"]));
  }
  print_task_and_files(j);
}

void print_facts(const Json& j) {
  fmt::print("{}: {} for {}, trained on {}\n", text_of(j["adapter"]), text_of(j["peft_type"]), text_of(j["task_type"]),
             text_of(j["base_model_name_or_path"]));
  print_placement(j);
  const auto trainable = j["trainable"].get<std::int64_t>();
  const auto used = j["used"].get<std::int64_t>();
  fmt::print("  virtual tokens   {} (rows {} x {}{})\n", text_of(j["num_virtual_tokens"]), text_of(j["rows"]), text_of(j["width"]),
             used < trainable
                 ? fmt::format(", of which {} are never read", j["rows"].get<std::int64_t>() - j["num_virtual_tokens"].get<std::int64_t>())
                 : "");
  print_share(j);
  fmt::print("  norm of a row    {}\n", range_of(j["norm"]));
  if (j.contains("vocabulary_norm")) fmt::print("  of a word        {}\n", range_of(j["vocabulary_norm"]));
  print_task_and_files(j);
}

void print_lora(const Json& j) {
  fmt::print("{}: {} for {}, trained on {}\n", text_of(j["adapter"]), text_of(j["peft_type"]), text_of(j["task_type"]),
             text_of(j["base_model_name_or_path"]));
  fmt::print("  rank             {}, scale {}, dropout {}\n", text_of(j["r"]), text_of(j["scale"]), text_of(j["lora_dropout"]));
  print_share(j);
  fmt::print("  maps             {}: {}\n", j["modules"].size(), text_of(j["target_modules"]));
  print_task_and_files(j);
}

void print_rows(const Json& j) {
  for (const Json& row : j["prompt"]) {
    fmt::print("{:>5}  norm {:<9.4g}", row["row"].get<int>(), row["norm"].get<double>());
    if (row.contains("neighbours")) {
      for (const Json& n : row["neighbours"]) fmt::print("  {} {:.3f}", text_of(n["token"]), n["cosine"].get<double>());
    } else {
      fmt::print("  mean {:<10.3g}  std {:.3g}", row["mean"].get<double>(), row["std"].get<double>());
    }
    fmt::print("\n");
  }
}

}  // namespace

int inspect_command(const InspectArguments& args) {
  if (args.report) {
    require<ConfigError>(args.model.has_value(), "--report: no model was given; wanted --model, whose words the prompt is compared with");
    ReportOptions options = args.report_options;
    options.neighbours = args.neighbours;
    write_atomically(*args.report, report_page(report_facts(args.adapter, *args.model, options)));
    fmt::print("report in {}\n", args.report->string());
    return 0;
  }
  const Json facts = inspect_adapter(args.adapter, args.model, args.neighbours);
  if (args.json) {
    fmt::print("{}\n", facts.dump(2, ' ', false, Json::error_handler_t::replace));
    return 0;
  }
  if (facts.contains("sites")) {
    print_native(facts);
  } else if (facts.contains("modules")) {
    print_lora(facts);
  } else {
    print_facts(facts);
    print_rows(facts);
  }
  for (const auto& warning : facts["warnings"]) fmt::print("note: {}\n", warning.get<std::string>());
  return 0;
}

}  // namespace preamble
