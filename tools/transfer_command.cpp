#include "tools/transfer_command.h"

#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/delimited.h"
#include "data/json_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "tools/self_process.h"

namespace preamble {
namespace {

using Folder = std::filesystem::path;
using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

/// A set to evaluate on.
struct EvaluationSet {
  std::string name;
  Folder file;
  Words options;
};

struct Sets {
  std::string name;  ///< of the trained one
  Folder train_file;
  Words train_options;
  std::vector<EvaluationSet> evaluated;  ///< its validation file first, if it has one
  std::map<std::string, Words> method_options;
};

Words options_in(const JsonFile& json) { return json.get<Words>("options", {}); }

Sets read_sets(const Folder& path) {
  const JsonFile file = JsonFile::open(path);
  const auto known = [](const JsonFile& json, const std::set<std::string>& names) {
    for (const auto& [key, value] : json.value().items())
      require<FileError>(names.contains(key), "{}: field '{}'; wanted one of {}", json.where(), key, fmt::join(names, ", "));
  };
  known(file, {"train", "evaluate", "methods"});
  const JsonFile train = file.section("train");
  known(train, {"name", "train_file", "validation_file", "options"});
  Sets sets;
  sets.name = train.get<std::string>("name");
  sets.train_file = path.parent_path() / train.get<std::string>("train_file");
  sets.train_options = options_in(train);
  if (const auto validation = train.find<std::string>("validation_file"))
    sets.evaluated.push_back({sets.name, path.parent_path() / *validation, sets.train_options});
  require<FileError>(file.value().contains("evaluate") && file.value()["evaluate"].is_array(), "{}: no list 'evaluate'; wanted sets to evaluate on",
                     file.where());
  for (const auto& item : file.value()["evaluate"]) {
    const JsonFile set = JsonFile::parse(item.dump(), fmt::format("{}: evaluate[{}]", file.where(), sets.evaluated.size()));
    known(set, {"name", "file", "options"});
    sets.evaluated.push_back({set.get<std::string>("name"), path.parent_path() / set.get<std::string>("file"), options_in(set)});
  }
  std::set<std::string> names;
  for (const auto& set : sets.evaluated) {
    require<FileError>(names.insert(set.name).second, "{}: two sets are called '{}'; wanted different names", file.where(), set.name);
    require<FileError>(std::filesystem::exists(set.file), "{}: {} is not there", file.where(), set.file.string());
  }
  require<FileError>(!sets.evaluated.empty(), "{}: nothing to evaluate on; wanted a validation file or sets", file.where());
  if (file.has("methods")) {
    const JsonFile methods = file.section("methods");
    for (const auto& [method, options] : methods.value().items()) sets.method_options[method] = methods.get<Words>(method);
  }
  return sets;
}

void append(Words& words, const Words& more) { words.insert(words.end(), more.begin(), more.end()); }

/// Runs a command unless `done` says that the same one has been run; then what it printed. The call is kept beside it.
std::string run_once(const Words& call, const Folder& done) {
  const std::string line = fmt::format("{}", fmt::join(call, " "));
  if (std::filesystem::exists(done)) {
    const JsonFile kept = JsonFile::open(done);
    require<ConfigError>(kept.get<std::string>("call") == line, "{}: it belongs to another run, '{}'; wanted '{}', or another --output-dir", done.string(),
                         kept.get<std::string>("call"), line);
    return kept.get<std::string>("output");
  }
  fmt::print(stderr, "preamble {}\n", line);
  const std::string output = run_self(call);
  write_atomically(done, Json{{"call", line}, {"output", output}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  return output;
}

class Transfer {
 public:
  explicit Transfer(const TransferArguments& args) : args_(args), sets_(read_sets(args.sets)) {
    require<ConfigError>(!args.methods.empty() && !args.seeds.empty(), "transfer: {} methods and {} seeds were given; wanted one at least",
                         args.methods.size(), args.seeds.size());
  }

  int run() {
    for (const auto& method : args_.methods) {
      for (const auto seed : args_.seeds) one(method, seed);
    }
    if (args_.csv) write_atomically(*args_.csv, csv());
    if (args_.json) {
      fmt::print("{}\n", json().dump());
    } else {
      print();
    }
    return 0;
  }

 private:
  void one(const std::string& method, std::uint64_t seed) {
    const Folder folder = args_.output_dir / fmt::format("{}-seed{}", method, seed);
    std::filesystem::create_directories(folder);
    Words train = {"train",        "--model",      args_.model.string(),  "--method", method,         "--seed", std::to_string(seed), "--train-file",
                   sets_.train_file.string(), "--output-dir", folder.string(), "--json",   (folder / "log.jsonl").string(), "--resume"};
    // the validation file of the trained set chooses the checkpoint, as in the paper
    if (sets_.evaluated.front().name == sets_.name) append(train, {"--validation-file", sets_.evaluated.front().file.string()});
    append(train, sets_.train_options);
    if (const auto own = sets_.method_options.find(method); own != sets_.method_options.end()) append(train, own->second);
    append(train, args_.passed_on);
    (void)run_once(train, folder / "trained.json");
    for (const auto& set : sets_.evaluated) {
      Words eval = {"eval", "--model", (method == "full" ? folder : args_.model).string(), "--file", set.file.string(), "--json"};
      if (method != "full") append(eval, {"--adapter", folder.string()});
      append(eval, set.options);
      append(eval, args_.passed_on);
      const Folder kept = folder / fmt::format("on-{}.json", set.name);
      const JsonFile scores = JsonFile::parse(run_once(eval, kept), kept.string());
      for (const auto& [name, value] : scores.value().items()) {
        if (value.is_number() && name != "examples") values_[{set.name, name}][method].push_back(value.get<double>());
      }
    }
  }

  [[nodiscard]] std::string csv() const {
    std::string text = "trained_on,evaluated_on,metric,method,seed,value\n";
    for (const auto& [place, by_method] : values_) {
      for (const auto& [method, values] : by_method) {
        for (std::size_t i = 0; i < values.size(); ++i)
          text += fmt::format("{},{},{},{},{},{}\n", csv_field(sets_.name), csv_field(place.first), place.second, csv_field(method), args_.seeds.at(i), values[i]);
      }
    }
    return text;
  }

  /// Mean of the first method less mean of the second.
  [[nodiscard]] std::optional<double> gap(const std::map<std::string, std::vector<double>>& by_method) const {
    if (args_.methods.size() < 2) return std::nullopt;
    return summary_of(by_method.at(args_.methods[0])).mean - summary_of(by_method.at(args_.methods[1])).mean;
  }

  [[nodiscard]] Json json() const {
    Json results = Json::array();
    for (const auto& [place, by_method] : values_) {
      Json one = {{"evaluated_on", place.first}, {"metric", place.second}};
      for (const auto& [method, values] : by_method) {
        const MeanAndDeviation summary = summary_of(values);
        one[method] = {{"mean", summary.mean}, {"deviation", summary.deviation}, {"values", values}};
      }
      if (const auto difference = gap(by_method)) one["gap"] = *difference;
      results.push_back(std::move(one));
    }
    return {{"trained_on", sets_.name}, {"seeds", args_.seeds}, {"results", std::move(results)}};
  }

  void print() const {
    fmt::print("trained on {}, {} seeds: mean ± deviation\n{:<20} {:<18}", sets_.name, args_.seeds.size(), "evaluated on", "metric");
    for (const auto& method : args_.methods) fmt::print("  {:>18}", method);
    if (args_.methods.size() > 1) fmt::print("  {:>12}", "gap");
    fmt::print("\n");
    for (const auto& set : sets_.evaluated) {
      for (const auto& [place, by_method] : values_) {
        if (place.first != set.name) continue;
        fmt::print("{:<20} {:<18}", set.name, place.second);
        for (const auto& method : args_.methods) {
          const MeanAndDeviation summary = summary_of(by_method.at(method));
          fmt::print("  {:>18}", fmt::format("{:.4f} ± {:.4f}", summary.mean, summary.deviation));
        }
        if (const auto difference = gap(by_method)) fmt::print("  {:>+12.4f}", *difference);
        fmt::print("\n");
      }
    }
  }

  const TransferArguments& args_;
  Sets sets_;
  /// By set and metric, then by method: a number of each seed.
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::vector<double>>> values_;
};

}  // namespace

MeanAndDeviation summary_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  MeanAndDeviation summary{std::accumulate(values.begin(), values.end(), 0.0) / count, 0};
  for (const double x : values) summary.deviation += (x - summary.mean) * (x - summary.mean);
  summary.deviation = values.size() > 1 ? std::sqrt(summary.deviation / (count - 1)) : 0;
  return summary;
}

int transfer_command(const TransferArguments& arguments) { return Transfer(arguments).run(); }

}  // namespace preamble
