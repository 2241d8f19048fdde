#include "tools/sweep_command.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/delimited.h"
#include "data/table.h"
#include "data/text_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"
#include "engine/distributed/communicator.h"
#include "peft/run_identity.h"
#include "tools/commands.h"
#include "tools/self_process.h"
#include "tools/shared_jobs.h"
#include "tools/sweep_plan.h"
#include "tools/sweep_plot.h"

namespace preamble {
namespace {

using nlohmann::json;
using Row = std::map<std::string, std::string>;

/// What every row has beside its axes and scores.
constexpr const char* kKey = "run";
constexpr const char* kMetric = "metric";

void append(std::vector<std::string>& words, const std::vector<std::string>& more) { words.insert(words.end(), more.begin(), more.end()); }

/// The results so far: a line a run.
class Results {
 public:
  Results(std::filesystem::path path, const SweepPlan& plan) : path_(std::move(path)), plan_(plan) {
    // one process has the table
    if (!world().is_root() || !std::filesystem::exists(path_)) return;
    const Table table = load_table(path_);
    for (std::int64_t row = 0; row < table.rows(); ++row) {
      Row& fields = rows_.emplace_back();
      for (std::size_t c = 0; c < table.columns().size(); ++c) {
        const Cell* cell = table.find(row, c);
        if (cell != nullptr && !cell->value.empty()) fields[table.columns()[c]] = cell->value;
      }
      require<FileError>(fields.contains(kKey), "{}: no column '{}'; wanted the results of a sweep", table.where(row), kKey);
    }
  }

  [[nodiscard]] const Row* find(const SweepRun& run) const {
    const auto found = std::ranges::find_if(rows_, [key = run.key()](const Row& row) { return row.at(kKey) == key; });
    return found == rows_.end() ? nullptr : &*found;
  }

  void add(Row row) {
    rows_.push_back(std::move(row));
    write();
  }

 private:
  /// Axes, scores in alphabetical order, costs, and the run's key last; rows in the order of the plan.
  void write() const {
    std::vector<std::string> columns = plan_.axes;
    std::set<std::string> others;
    for (const auto& row : rows_) {
      for (const auto& [name, value] : row) others.insert(name);
    }
    for (const auto& axis : plan_.axes) others.erase(axis);
    others.erase(kKey);
    columns.insert(columns.end(), others.begin(), others.end());
    columns.emplace_back(kKey);
    std::string text = fmt::format("{}\n", fmt::join(columns, ","));
    std::vector<const Row*> ordered;
    for (const auto& run : plan_.runs) {
      if (const Row* row = find(run)) ordered.push_back(row);
    }
    for (const auto& row : rows_) {
      if (std::ranges::find(ordered, &row) == ordered.end()) ordered.push_back(&row);
    }
    for (const Row* row : ordered) {
      std::vector<std::string> fields;
      for (const auto& column : columns) fields.push_back(row->contains(column) ? csv_field(row->at(column)) : "");
      text += fmt::format("{}\n", fmt::join(fields, ","));
    }
    write_atomically(path_, text);
  }

  std::filesystem::path path_;
  const SweepPlan& plan_;
  std::vector<Row> rows_;
};

class Sweep {
 public:
  explicit Sweep(SweepArguments args)
      : args_(std::move(args)), plan_(read_sweep(args_.plan, args_.values)), results_(args_.output_dir / (plan_.name + ".csv"), plan_) {}

  /// `self`: this object, which the threads of jobs keep. How many runs have failed.
  [[nodiscard]] static std::size_t run(const std::shared_ptr<Sweep>& self) {
    if (world().size() > 1) require_equal_on_ranks(world(), {{"plan", self->content()}});
    const auto left = self->left();
    const auto groups = sweep_groups(self->plan_, left);
    self->say(fmt::format("{}: {} runs, {} of them done, the others in {} programs", self->plan_.name, self->plan_.runs.size(),
                          self->plan_.runs.size() - left.size(), groups.size()));
    // a job, so that ranks which wait for it know that it is at work
    if (!groups.empty() && !self->plan_.adaptation_steps.empty()) {
      share_jobs(
          world(), 1, [self](std::size_t) { return self->adapt(), std::string(); }, [](std::size_t, const std::string&) {});
    }
    std::size_t number = 0, failed = 0;
    share_jobs(
        world(), groups.size(), [self, groups](std::size_t group) { return self->run_group(groups[group]); },
        [&](std::size_t group, const std::string& text) {
          ++number;
          const json result = json::parse(text);
          const auto done = result.at("done").get<std::vector<std::size_t>>();
          failed += groups[group].size() - done.size();
          if (world().is_root()) self->add(result, done, fmt::format("{}/{}", number, groups.size()));
          if (done.size() == groups[group].size()) self->remove_model(groups[group]);
        });
    return failed;
  }

  void draw() const {
    for (std::size_t i = 0; i < plan_.plots.size(); ++i) {
      const SweepPlot& plot = plan_.plots[i];
      std::string score = plot.score;
      const auto points = points_of(plot, score);
      if (points.empty()) continue;
      const auto path = args_.output_dir / (plan_.plots.size() == 1 ? plan_.name + ".svg" : fmt::format("{}-{}.svg", plan_.name, i + 1));
      write_atomically(path, draw_plot(points, plot.title, plot.x, score));
      fmt::print("\n{} ({})\n\n{}\n{}\n", plot.title, score, plot_table(points, plot.x), path.string());
    }
  }

 private:
  void say(const std::string& line) const {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }

  /// Changes with whatever is run.
  [[nodiscard]] std::string content() const {
    std::string text = fmt::format("{}, {} slots, evaluation", plan_.name, plan_.slots);
    for (const auto& [option, value] : plan_.evaluate) text += fmt::format(" {}={}", option, value);
    text += ", adaptation";
    for (const auto& [option, value] : plan_.adapt) text += fmt::format(" {}={}", option, value);
    for (const auto& run : plan_.runs) text += " " + run.key();
    return text;
  }

  /// The runs that the root's table does not have.
  [[nodiscard]] std::vector<std::size_t> left() const {
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; world().is_root() && i < plan_.runs.size(); ++i) {
      if (results_.find(plan_.runs[i]) == nullptr) numbers.push_back(i);
    }
    const auto own = std::as_bytes(std::span(numbers));
    const auto bytes = world().broadcast_all({own.begin(), own.end()}, "runs that are left");
    numbers.resize(bytes.size() / sizeof(std::uint64_t));
    if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return {numbers.begin(), numbers.end()};
  }

  /// Of several processes on a machine each takes the GPU of its number, unless the plan names one.
  [[nodiscard]] static SweepRun on_own_device(SweepRun run) {
    for (auto& [option, value] : run.options) {
      if (option == "device") value = device_of_rank(value);
    }
    return run;
  }

  [[nodiscard]] std::string described(const std::vector<std::size_t>& group) const {
    std::vector<std::string> texts;
    for (const std::size_t index : group) {
      const Row& row = *results_.find(plan_.runs[index]);
      std::vector<std::string> axes;
      for (const auto& [axis, value] : plan_.runs[index].axes) axes.push_back(axis + " " + value);
      texts.push_back(fmt::format("{}: {} {}", fmt::join(axes, ", "), row.at(kMetric), row.contains(row.at(kMetric)) ? row.at(row.at(kMetric)) : "-"));
    }
    return fmt::format("{}", fmt::join(texts, "; "));
  }

  [[nodiscard]] std::filesystem::path adapted() const { return args_.output_dir / (plan_.name + "-adapted"); }

  /// One run of `adapt` leaves a copy at each of the steps. Wants steps.
  void adapt() const {
    std::int64_t between = 0;
    for (const auto steps : plan_.adaptation_steps) between = std::gcd(between, steps);
    between = std::max<std::int64_t>(between, 1);
    SweepRun options;
    options.options = plan_.adapt;
    std::vector<std::string> words = {"adapt"};
    append(words, options.arguments());
    // 0 alone is the model itself, for whose copy an update is made
    const std::int64_t last = std::max<std::int64_t>(plan_.adaptation_steps.back(), 1);
    append(words, {"--keep", "last", "--max-steps", std::to_string(last), "--checkpoint-steps", std::to_string(between), "--save-steps",
                   std::to_string(between), "--output-dir", adapted().string(), "--json", (adapted() / "log.jsonl").string(), "--resume"});
    append(words, args_.passed_on);
    std::filesystem::create_directories(adapted());
    (void)run_self(words, errors_);
    for (std::int64_t steps = 0; steps <= last; steps += between) {
      if (!std::ranges::binary_search(plan_.adaptation_steps, steps)) std::filesystem::remove_all(checkpoint(std::to_string(steps)));
    }
  }

  [[nodiscard]] std::filesystem::path checkpoint(const std::string& steps) const { return adapted() / ("checkpoint-" + steps); }

  /// The model that a run reads.
  [[nodiscard]] std::string model_of(const SweepRun& run) const {
    if (const std::string* steps = run.find(SweepRun::kAdaptation)) return checkpoint(*steps).string();
    const std::string* model = run.find("model");
    require<ConfigError>(model != nullptr, "sweep: [evaluate] wants the option model in [train]");
    return *model;
  }

  /// What a job gave: rows of the table for the runs that are done, and why others failed.
  void add(const json& result, const std::vector<std::size_t>& done, std::string_view number) {
    for (auto& row : result.at("rows").get<std::vector<Row>>()) results_.add(std::move(row));
    if (const auto failure = result.find("failure"); failure != result.end()) fmt::print(stderr, "{}\n", failure->get<std::string>());
    if (!done.empty()) say(fmt::format("{}  {}", number, described(done)));
  }

  [[nodiscard]] std::filesystem::path folder_of(const std::vector<std::size_t>& group) const {
    std::string name = plan_.runs[group.front()].key();
    for (std::size_t i = 1; i < group.size(); ++i) name = fmt::format("{:016x}", std::hash<std::string>()(name + plan_.runs[group[i]].key()));
    return args_.output_dir / "runs" / name;
  }

  /// Models of full fine-tuning, once their scores are in the table. On all processes, which may be on machines with folders of their own.
  void remove_model(const std::vector<std::size_t>& group) const {
    const std::string* method = plan_.runs[group.front()].find("method");
    if (method == nullptr || *method != "full" || args_.keep) return;
    world().barrier("table of results");
    std::error_code others_may_have_done_it;
    std::filesystem::remove_all(folder_of(group) / "out", others_may_have_done_it);
  }

  /// Trains a group and evaluates it, in processes of their own. Runs in another thread than the rest. The result is JSON: `rows` of the runs that are
  /// done, `done` their numbers, `failure` why others are not.
  [[nodiscard]] std::string run_group(const std::vector<std::size_t>& group) const {
    const auto folder = folder_of(group);
    std::filesystem::create_directories(folder);
    const auto log = folder / "log.jsonl";
    std::vector<std::string> words = {"train"};
    SweepRun shared = plan_.runs[group.front()];
    if (group.size() > 1) add_slots(group, shared, words);
    append(words, on_own_device(shared).arguments());
    if (shared.find(SweepRun::kAdaptation) != nullptr) append(words, {"--model", model_of(shared)});
    append(words, {"--output-dir", (folder / "out").string(), "--json", log.string(), "--resume"});
    append(words, args_.passed_on);
    json result;
    try {
      (void)run_self(words, errors_);
    } catch (const Error& error) {
      result["failure"] = error.what();
    }
    std::vector<Row> rows(group.size());
    for (std::size_t i = 0; i < group.size(); ++i) rows[i] = row_of(plan_.runs[group[i]]);
    read_log(log, rows);
    std::vector<Row> finished;
    std::vector<std::size_t> done;
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (!rows[i].contains(kMetric)) continue;
      const auto out = group.size() > 1 ? folder / "out" / fmt::format("slot-{}", i) : folder / "out";
      if (!plan_.evaluate.empty()) evaluate(plan_.runs[group[i]], out, rows[i]);
      done.push_back(group[i]);
      finished.push_back(std::move(rows[i]));
    }
    result["rows"] = finished;
    result["done"] = done;
    return result.dump();
  }

  /// In what the slots differ becomes lists.
  void add_slots(const std::vector<std::size_t>& group, SweepRun& shared, std::vector<std::string>& words) const {
    const std::pair<const char*, const char*> lists[] = {{"seed", "--slot-seeds"},
                                                         {"learning-rate", "--slot-learning-rates"},
                                                         {"prompt-tuning-init", "--slot-inits"},
                                                         {"num-virtual-tokens", "--slot-tokens"}};
    words.insert(words.end(), {"--slots", std::to_string(group.size())});
    for (const auto& [option, list] : lists) {
      std::vector<std::string> values;
      for (const std::size_t index : group) {
        if (const std::string* value = plan_.runs[index].find(option)) values.push_back(*value);
      }
      if (values.size() != group.size()) continue;
      words.insert(words.end(), {list, fmt::format("{}", fmt::join(values, ","))});
      std::erase_if(shared.options, [&](const auto& given) { return given.first == option; });
    }
  }

  [[nodiscard]] Row row_of(const SweepRun& run) const {
    Row row(run.axes.begin(), run.axes.end());
    row[kKey] = run.key();
    return row;
  }

  /// The last evaluation of each slot, and what its run cost.
  static void read_log(const std::filesystem::path& path, std::vector<Row>& rows) {
    if (!std::filesystem::exists(path)) return;
    const std::string content = read_text(path);
    LineReader lines(content);
    while (const auto line = lines.next()) {
      const json entry = json::parse(*line);
      Row& row = rows.at(entry.value("slot", std::size_t{0}));
      if (entry.contains("eval")) {
        for (const auto& [score, value] : entry["eval"].items()) row[score] = fmt::format("{:.6g}", value.get<double>());
      }
      if (!entry.value("done", false)) continue;
      for (const char* cost : {"steps", "trainable", "last_loss", "step_ms", "seconds", "peak_resident_bytes"}) {
        if (entry.contains(cost)) row[cost] = entry[cost].is_number_integer() ? entry[cost].dump() : fmt::format("{:.6g}", entry[cost].get<double>());
      }
      row[kMetric] = "last_loss";
      if (!entry.contains("best")) continue;
      row[kMetric] = entry["best"]["metric"].get<std::string>();
      row["best_step"] = entry["best"]["step"].dump();
      row["best"] = fmt::format("{:.6g}", entry["best"]["value"].get<double>());
    }
  }

  void evaluate(const SweepRun& run, const std::filesystem::path& out, Row& row) const {
    const std::string* method = run.find("method");
    const std::string model = model_of(run);
    std::vector<std::string> words = {"eval", "--json"};
    if (method != nullptr && *method == "full") {
      append(words, {"--model", out.string()});
    } else {
      append(words, {"--model", model, "--adapter", out.string()});
    }
    SweepRun options;
    options.options = plan_.evaluate;
    append(words, on_own_device(options).arguments());
    append(words, args_.passed_on);
    const json scores = json::parse(run_self(words, errors_));
    for (const auto& [score, value] : scores.items()) {
      if (value.is_number() && score != "examples") row["test_" + score] = fmt::format("{:.6g}", value.get<double>());
    }
  }

  /// Points of a plot; `score` becomes the metric of the runs if it is empty.
  [[nodiscard]] std::vector<PlotPoint> points_of(const SweepPlot& plot, std::string& score) const {
    std::vector<PlotPoint> points;
    for (const auto& run : plan_.runs) {
      const Row* row = results_.find(run);
      if (row == nullptr) continue;
      if (score.empty()) score = row->at(kMetric);
      const auto value = row->find(score);
      if (value == row->end()) continue;
      const auto axis = [&](const std::string& name) {
        const auto found = run.axes.find(name);
        return found == run.axes.end() ? std::string() : found->second;
      };
      const std::string x = axis(plot.x), series = plot.series.empty() ? "" : axis(plot.series);
      auto found = std::ranges::find_if(points, [&](const PlotPoint& point) { return point.x == x && point.series == series; });
      if (found == points.end()) found = points.insert(points.end(), {series, x, {}});
      found->scores.push_back(std::stod(value->second));
    }
    return points;
  }

  SweepArguments args_;
  SweepPlan plan_;
  Results results_;
  /// Processes but the first one show nothing: what goes wrong there is said in the error.
  ErrorOutput errors_ = world().size() > 1 ? ErrorOutput::kept : ErrorOutput::ours;
};

}  // namespace

int sweep_command(const SweepArguments& args) {
  std::error_code error;
  std::filesystem::create_directories(args.output_dir, error);
  require<FileError>(!error, "{}: cannot create the folder: {}", args.output_dir.string(), error.message());
  const auto sweep = std::make_shared<Sweep>(args);
  const std::size_t failed = args.plot_only ? 0 : Sweep::run(sweep);
  if (world().is_root()) sweep->draw();
  world().barrier("end of the sweep");
  require<Error>(failed == 0, "sweep: {} runs have failed, for the reasons above; the same call tries them again", failed);
  return 0;
}

}  // namespace preamble
