#include "tools/sweep_plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "engine/core/error.h"
#include "engine/core/hash.h"

namespace preamble {
namespace {

using Values = std::map<std::string, std::string>;
/// Axes by name; a plain option is an axis of one value that is not listed.
using Axes = std::vector<std::pair<std::string, std::vector<std::string>>>;

constexpr std::array<std::string_view, 4> kSlotOptions = {"seed", "learning-rate", "prompt-tuning-init", "num-virtual-tokens"};

std::string described(const SweepOptions& options) {
  std::string text;
  for (const auto& [name, value] : options) text += fmt::format("{}={}\n", name, value);
  return text;
}

bool differs_in_slots(std::string_view option) { return std::ranges::find(kSlotOptions, option) != kSlotOptions.end(); }

class PlanReader {
 public:
  PlanReader(const std::filesystem::path& path, const Values& values) : path_(path.string()), values_(values) {}

  [[nodiscard]] SweepPlan read() {
    try {
      document_ = toml::parse_file(path_);
    } catch (const toml::parse_error& error) {
      raise<FileError>("{}:{}: {}; wanted TOML", path_, error.source().begin.line, error.description());
    }
    require_keys(document_, {"name", "slots", "adapt", "train", "sweep", "variant", "evaluate", "plot"});
    SweepPlan plan;
    plan.name = document_["name"].value_or(std::filesystem::path(path_).stem().string());
    plan.slots = document_["slots"].value_or(std::int64_t{1});
    require<FileError>(plan.slots > 0, "{}: slots is {}; wanted a positive number", path_, plan.slots);
    const SweepOptions shared = options_of(table("train"));
    plan.adapt = options_of(table("adapt"));
    const Axes axes = axes_of(table("sweep"));
    if (const auto* variants = array("variant")) {
      for (const auto& node : *variants) add_variant(plan, shared, axes, *table_of(node));
    } else {
      add_runs(plan, shared, axes, {});
    }
    require<FileError>(!plan.runs.empty(), "{}: no runs; wanted [train] and [sweep]", path_);
    name_axes(plan);
    plan_adaptation(plan);
    plan.evaluate = options_of(table("evaluate"));
    if (const auto* plots = array("plot")) {
      for (const auto& node : *plots) plan.plots.push_back(plot_of(plan, *table_of(node)));
    }
    return plan;
  }

 private:
  template <class Node>
  [[nodiscard]] std::string where(const Node& node) const {
    return fmt::format("{}:{}", path_, node.source().begin.line);
  }

  void require_keys(const toml::table& given, const std::set<std::string_view>& known) const {
    for (const auto& [key, node] : given)
      require<FileError>(known.contains(key.str()), "{}: key '{}'; wanted one of {}", where(node), key.str(), fmt::join(known, ", "));
  }

  [[nodiscard]] const toml::table* table(std::string_view key) const {
    const toml::node* node = document_.get(key);
    if (node == nullptr) return nullptr;
    return table_of(*node);
  }
  [[nodiscard]] const toml::table* table_of(const toml::node& node) const {
    require<FileError>(node.is_table(), "{}: wanted a table of options", where(node));
    return node.as_table();
  }
  [[nodiscard]] const toml::array* array(std::string_view key) const {
    const toml::node* node = document_.get(key);
    require<FileError>(node == nullptr || node->is_array(), "{}: '{}' is no list of tables; wanted [[{}]]", path_, key, key);
    return node == nullptr ? nullptr : node->as_array();
  }

  /// A value as the command line has it, with $NAME filled in.
  [[nodiscard]] std::string text_of(const toml::node& node) const {
    if (const auto* value = node.as_string()) return filled(value->get(), node);
    if (const auto* value = node.as_integer()) return std::to_string(value->get());
    if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
    if (const auto* value = node.as_boolean()) return value->get() ? "true" : "false";
    const auto* list = node.as_array();
    require<FileError>(list != nullptr, "{}: wanted a text, a number, true, false or a list of these", where(node));
    std::vector<std::string> parts;
    for (const auto& item : *list) parts.push_back(text_of(item));
    return fmt::format("{}", fmt::join(parts, ","));
  }

  [[nodiscard]] std::string filled(std::string text, const toml::node& node) const {
    for (std::size_t at = text.find('$'); at != std::string::npos; at = text.find('$', at)) {
      std::size_t end = at + 1;
      while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
      const std::string name = text.substr(at + 1, end - at - 1);
      const auto found = values_.find(name);
      require<FileError>(found != values_.end(), "{}: ${} has no value; wanted --set {}=VALUE", where(node), name, name);
      text.replace(at, end - at, found->second);
      at += found->second.size();
    }
    return text;
  }

  [[nodiscard]] SweepOptions options_of(const toml::table* given, const std::set<std::string_view>& but = {}) const {
    SweepOptions options;
    if (given == nullptr) return options;
    for (const auto& [key, node] : *given) {
      if (!but.contains(key.str())) options.emplace_back(key.str(), text_of(node));
    }
    return options;
  }

  [[nodiscard]] Axes axes_of(const toml::table* given) const {
    Axes axes;
    if (given == nullptr) return axes;
    for (const auto& [key, node] : *given) {
      const auto* list = node.as_array();
      require<FileError>(list != nullptr && !list->empty(), "{}: axis '{}' is no list of values; wanted one", where(node), key.str());
      auto& values = axes.emplace_back(std::string(key.str()), std::vector<std::string>()).second;
      for (const auto& item : *list) values.push_back(text_of(item));
    }
    return axes;
  }

  static void set(SweepOptions& options, const std::string& name, const std::string& value) {
    const auto found = std::ranges::find(options, name, &std::pair<std::string, std::string>::first);
    if (found == options.end()) {
      options.emplace_back(name, value);
    } else {
      found->second = value;
    }
  }

  void add_variant(SweepPlan& plan, const SweepOptions& shared, Axes axes, const toml::table& variant) const {
    const auto name = variant["name"].value<std::string>();
    require<FileError>(name.has_value(), "{}: a variant without a name; wanted name = \"...\"", where(variant));
    SweepOptions options = shared;
    for (const auto& [option, value] : options_of(&variant, {"name", "sweep"})) {
      set(options, option, value);
      // what a variant fixes is no axis of it
      std::erase_if(axes, [&](const auto& axis) { return axis.first == option; });
    }
    const toml::node* own = variant.get("sweep");
    for (auto& [axis, values] : axes_of(own == nullptr ? nullptr : table_of(*own))) {
      std::erase_if(axes, [&](const auto& other) { return other.first == axis; });
      axes.emplace_back(axis, values);
    }
    add_runs(plan, options, axes, name);
  }

  void add_runs(SweepPlan& plan, const SweepOptions& options, const Axes& axes, const std::optional<std::string>& variant) const {
    std::vector<SweepRun> runs(1);
    runs.front().options = options;
    if (variant) runs.front().axes["variant"] = *variant;
    for (const auto& [axis, values] : axes) {
      std::vector<SweepRun> longer;
      for (const auto& run : runs) {
        for (const auto& value : values) {
          longer.push_back(run);
          longer.back().axes[axis] = value;
          set(longer.back().options, axis, value);
        }
      }
      runs = std::move(longer);
    }
    for (auto& run : runs) {
      for (const char* own : {"output-dir", "json", "resume", "slots"})
        require<FileError>(run.find(own) == nullptr, "{}: option '{}' is the sweep's own; wanted others", path_, own);
      plan.runs.push_back(std::move(run));
    }
  }

  /// Which adapted models there must be. A run's name holds how they are made.
  void plan_adaptation(SweepPlan& plan) const {
    std::set<std::int64_t> steps;
    for (auto& run : plan.runs) {
      const std::string* given = run.find(SweepRun::kAdaptation);
      require<FileError>((given != nullptr) == !plan.adapt.empty(), "{}: {}; wanted [adapt] with an axis {} in all runs, or neither", path_,
                         given == nullptr ? "[adapt] and a run without adaptation steps" : "adaptation steps without [adapt]", SweepRun::kAdaptation);
      if (given == nullptr) continue;
      std::int64_t count = -1;
      const char* end = given->data() + given->size();
      require<FileError>(std::from_chars(given->data(), end, count).ptr == end && count >= 0, "{}: {} is '{}'; wanted a number of updates", path_,
                         SweepRun::kAdaptation, *given);
      require<FileError>(run.find("model") == nullptr, "{}: option 'model' of [train] beside [adapt], whose model is trained on; wanted one of them", path_);
      steps.insert(count);
      run.options.emplace_back("adapted", described(plan.adapt));
    }
    plan.adaptation_steps.assign(steps.begin(), steps.end());
    for (const auto& [option, value] : plan.adapt) {
      for (const char* own : {"output-dir", "json", "resume", "max-steps", "checkpoint-steps", "keep", "method"})
        require<FileError>(option != own, "{}: option '{}' of [adapt] is the sweep's own; wanted others", path_, own);
    }
  }

  static void name_axes(SweepPlan& plan) {
    std::set<std::string> names;
    for (const auto& run : plan.runs) {
      for (const auto& [axis, value] : run.axes) names.insert(axis);
    }
    if (names.erase("variant") > 0) plan.axes.emplace_back("variant");
    const bool seeds = names.erase("seed") > 0;
    plan.axes.insert(plan.axes.end(), names.begin(), names.end());
    if (seeds) plan.axes.emplace_back("seed");
  }

  [[nodiscard]] SweepPlot plot_of(const SweepPlan& plan, const toml::table& given) const {
    require_keys(given, {"x", "series", "score", "title"});
    SweepPlot plot{given["x"].value_or(std::string()), given["series"].value_or(std::string()), given["score"].value_or(std::string()),
                   given["title"].value_or(plan.name)};
    for (const auto& axis : {plot.x, plot.series.empty() ? plot.x : plot.series}) {
      require<FileError>(std::ranges::find(plan.axes, axis) != plan.axes.end(), "{}: '{}' is no axis; wanted one of {}", where(given), axis,
                         fmt::join(plan.axes, ", "));
    }
    return plot;
  }

  std::string path_;
  const Values& values_;
  toml::table document_;
};

}  // namespace

std::vector<std::string> SweepRun::arguments() const {
  std::vector<std::string> words;
  for (const auto& [name, value] : options) {
    if (value == "false" || name == kAdaptation || name == "adapted") continue;
    words.push_back("--" + name);
    if (value != "true") words.push_back(value);
  }
  return words;
}

std::string SweepRun::key() const {
  SweepOptions sorted = options;
  std::ranges::sort(sorted);
  std::uint64_t hash = kHashSeed;
  for (const auto& option : sorted) {
    const std::string text = described({option});
    hash = hash_words(hash, text.data(), text.size());
  }
  return fmt::format("{:016x}", hash);
}

const std::string* SweepRun::find(const std::string& option) const {
  const auto found = std::ranges::find(options, option, &std::pair<std::string, std::string>::first);
  return found == options.end() ? nullptr : &found->second;
}

SweepPlan read_sweep(const std::filesystem::path& path, const Values& values) { return PlanReader(path, values).read(); }

std::vector<std::vector<std::size_t>> sweep_groups(const SweepPlan& plan, const std::vector<std::size_t>& left) {
  std::vector<std::vector<std::size_t>> groups;
  std::map<std::string, std::size_t> open;  // by what must be equal: the group that still has room
  for (const std::size_t index : left) {
    const SweepRun& run = plan.runs[index];
    const std::string* method = run.find("method");
    const auto has = [&](const char* option) { return run.find(option) != nullptr; };
    // rows drawn by the seed of a run are its own
    const bool own_rows = (has("train-samples") || has("validation-samples")) && !has("samples-seed");
    const bool fits = plan.slots > 1 && (method == nullptr || *method == "prompt") && !own_rows && !has("batch-tokens") && !has("dropout") &&
                      !has("attention-dropout") && !has("gradient-accumulation-steps") && !has("task") && !has("tasks") && !has("placement");
    if (!fits) {
      groups.push_back({index});
      continue;
    }
    SweepRun shared = run;
    std::erase_if(shared.options, [](const auto& option) { return differs_in_slots(option.first); });
    // all or none of a group name an option that becomes a list
    std::string key = shared.key();
    for (const auto option : kSlotOptions) key += has(std::string(option).c_str()) ? " given" : " default";
    const auto found = open.find(key);
    if (found == open.end()) {
      open[key] = groups.size();
      groups.push_back({index});
    } else {
      groups[found->second].push_back(index);
      if (std::ssize(groups[found->second]) == plan.slots) open.erase(found);
    }
  }
  return groups;
}

}  // namespace preamble
