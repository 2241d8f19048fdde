#include "peft/training_state.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include <fmt/ranges.h>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"
#include "engine/core/warnings.h"

namespace preamble {
namespace {

using Metadata = std::map<std::string, std::string>;

constexpr const char* kFormat = "preamble-trainer-state-2";
/// In front of the names of the run's properties among the metadata.
const std::string kIdentity = "run.";

const std::string& field(const std::filesystem::path& path, const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  require<FileError>(found != metadata.end(), "{}: metadata '{}' is missing; wanted a state written by preamble train", path.string(), key);
  return found->second;
}

template <class T>
T number(const std::filesystem::path& path, const Metadata& metadata, const std::string& key) {
  const std::string& text = field(path, metadata, key);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require<FileError>(error == std::errc() && end == text.data() + text.size(), "{}: metadata '{}' is '{}'; wanted a number", path.string(),
                     key, text);
  return value;
}

/// Numbers with spaces between them.
std::vector<std::uint64_t> numbers(const std::filesystem::path& path, std::string_view text) {
  std::vector<std::uint64_t> values;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    const auto [behind, error] = std::from_chars(at, end, values.emplace_back());
    require<FileError>(error == std::errc() && (behind == end || *behind == ' '), "{}: metadata 'stream' is '{}'; wanted numbers", path.string(),
                       text);
    at = behind + (behind < end ? 1 : 0);
  }
  return values;
}

Tensor tensor_like(const TensorFile& file, const std::string& name, const Tensor& like) {
  const Tensor stored = file.get(name);
  require<FileError>(stored.dims() == like.dims() && stored.dtype() == like.dtype(), "{}: '{}' is {} {}; wanted {} {}",
                     file.path().string(), name, name_of(stored.dtype()), to_string(stored.dims()), name_of(like.dtype()),
                     to_string(like.dims()));
  return stored;
}

}  // namespace

bool TrainingState::note(double metric) {
  if (std::isnan(metric) || (best_metric && metric <= *best_metric)) {
    ++evaluations_without_gain;
    return false;
  }
  best_metric = metric;
  best_step = step;
  evaluations_without_gain = 0;
  return true;
}

std::filesystem::path TrainingState::path(const std::filesystem::path& folder) { return folder / "trainer_state.safetensors"; }

void TrainingState::save(const std::filesystem::path& folder, const std::vector<Trainable>& trainables, const Optimizer& optimizer,
                         const std::vector<Tensor>& best) const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (std::size_t i = 0; i < trainables.size(); ++i) {
    tensors.emplace_back("value." + trainables[i].name, trainables[i].value);
    if (!best.empty()) tensors.emplace_back("best." + trainables[i].name, best[i]);
  }
  for (const auto& [name, tensor] : optimizer.state()) tensors.emplace_back("optimizer." + name, tensor);
  Metadata metadata = {{"format", kFormat},
                       {"step", std::to_string(step)},
                       {"epoch", std::to_string(position.epoch)},
                       {"batch", std::to_string(position.batch)},
                       {"evaluations_without_gain", std::to_string(evaluations_without_gain)},
                       {"best_step", std::to_string(best_step)}};
  if (!position.stream.empty()) metadata["stream"] = fmt::format("{}", fmt::join(position.stream, " "));
  for (const auto& [key, value] : identity) metadata[kIdentity + key] = value;
  // the shortest text that reads back to the same bits
  metadata["last_loss"] = fmt::format("{}", last_loss);
  if (best_metric) metadata["best_metric"] = fmt::format("{}", *best_metric);
  write_safetensors(path(folder), tensors, metadata);
}

TrainingState TrainingState::load(const std::filesystem::path& folder, const RunIdentity& identity, std::vector<Trainable>& trainables,
                                  Optimizer& optimizer, std::vector<Tensor>& best) {
  const TensorFile file = SafetensorsFile::open(path(folder));
  const Metadata& metadata = file.metadata();
  const std::string& format = field(file.path(), metadata, "format");
  require<FileError>(format == kFormat, "{}: format '{}' was given; wanted {}", file.path().string(), format, kFormat);
  TrainingState state;
  for (const auto& [key, value] : metadata) {
    if (key.starts_with(kIdentity)) state.identity[key.substr(kIdentity.size())] = value;
  }
  const std::string there = state.identity.contains(kProcesses) ? state.identity.at(kProcesses) : "1";
  const std::string here = identity.contains(kProcesses) ? identity.at(kProcesses) : "1";
  state.identity.erase(kProcesses);
  if (identity.contains(kProcesses)) state.identity[kProcesses] = here;
  require<ConfigError>(state.identity == identity, "{}: it belongs to another run: {}", file.path().string(),
                       differences(state.identity, identity));
  if (there != here)
    warn(fmt::format("{}: {} processes wrote it, {} go on; sums over ranks and masks of dropout are not those of one straight run",
                     file.path().string(), there, here));
  state.step = number<std::int64_t>(file.path(), metadata, "step");
  state.position.epoch = number<std::uint64_t>(file.path(), metadata, "epoch");
  state.position.batch = number<std::uint64_t>(file.path(), metadata, "batch");
  if (metadata.contains("stream")) state.position.stream = numbers(file.path(), metadata.at("stream"));
  state.evaluations_without_gain = number<std::int64_t>(file.path(), metadata, "evaluations_without_gain");
  state.best_step = number<std::int64_t>(file.path(), metadata, "best_step");
  state.last_loss = number<double>(file.path(), metadata, "last_loss");
  if (metadata.contains("best_metric")) state.best_metric = number<double>(file.path(), metadata, "best_metric");
  std::vector<Tensor> values;
  std::vector<Tensor> best_values;
  for (const auto& trainable : trainables) {
    values.push_back(tensor_like(file, "value." + trainable.name, trainable.value));
    if (file.contains("best." + trainable.name))
      best_values.push_back(tensor_like(file, "best." + trainable.name, trainable.value).clone());
  }
  require<FileError>(best_values.empty() || best_values.size() == trainables.size(), "{}: best values of {} tensors; wanted none or {}",
                     file.path().string(), best_values.size(), trainables.size());
  std::map<std::string, Tensor> optimizer_state;
  for (const auto& name : file.names()) {
    constexpr std::string_view kPrefix = "optimizer.";
    if (name.starts_with(kPrefix)) optimizer_state[name.substr(kPrefix.size())] = file.get(name);
  }
  optimizer.restore(optimizer_state, state.step);
  for (std::size_t i = 0; i < trainables.size(); ++i) {
    if (values[i].bytes() != 0) std::memcpy(trainables[i].value.data(), values[i].data(), values[i].bytes());
  }
  best = std::move(best_values);
  return state;
}

}  // namespace preamble
