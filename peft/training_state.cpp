#include "peft/training_state.h"

#include <charconv>
#include <cstring>
#include <utility>

#include "data/safetensors.h"
#include "data/safetensors_writer.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Metadata = std::map<std::string, std::string>;

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
  require<FileError>(error == std::errc() && end == text.data() + text.size(), "{}: metadata '{}' is '{}'; wanted a number", path.string(), key, text);
  return value;
}

Tensor tensor_like(const TensorFile& file, const std::string& name, const Tensor& like) {
  const Tensor stored = file.get(name);
  require<FileError>(stored.dims() == like.dims() && stored.dtype() == like.dtype(), "{}: '{}' is {} {}; wanted {} {}", file.path().string(), name,
                     name_of(stored.dtype()), to_string(stored.dims()), name_of(like.dtype()), to_string(like.dims()));
  return stored;
}

}  // namespace

std::filesystem::path TrainingState::path(const std::filesystem::path& folder) { return folder / "trainer_state.safetensors"; }

void TrainingState::save(const std::filesystem::path& folder, const std::vector<Trainable>& trainables, const Optimizer& optimizer,
                         const std::vector<Tensor>& best) const {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (std::size_t i = 0; i < trainables.size(); ++i) {
    tensors.emplace_back("value." + trainables[i].name, trainables[i].value);
    if (!best.empty()) tensors.emplace_back("best." + trainables[i].name, best[i]);
  }
  for (const auto& [name, tensor] : optimizer.state()) tensors.emplace_back("optimizer." + name, tensor);
  Metadata metadata = {{"format", "preamble-trainer-state-1"},
                       {"step", std::to_string(step)},
                       {"epoch", std::to_string(position.epoch)},
                       {"batch", std::to_string(position.batch)},
                       {"evaluations_without_gain", std::to_string(evaluations_without_gain)},
                       {"best_step", std::to_string(best_step)},
                       {"fingerprint", fingerprint}};
  // the shortest text that reads back to the same bits
  if (best_metric) metadata["best_metric"] = fmt::format("{}", *best_metric);
  write_safetensors(path(folder), tensors, metadata);
}

TrainingState TrainingState::load(const std::filesystem::path& folder, const std::string& fingerprint, std::vector<Trainable>& trainables,
                                  Optimizer& optimizer, std::vector<Tensor>& best) {
  const TensorFile file = SafetensorsFile::open(path(folder));
  const Metadata& metadata = file.metadata();
  const std::string& format = field(file.path(), metadata, "format");
  require<FileError>(format == "preamble-trainer-state-1", "{}: format '{}' was given; wanted preamble-trainer-state-1", file.path().string(), format);
  TrainingState state;
  state.fingerprint = field(file.path(), metadata, "fingerprint");
  require<ConfigError>(state.fingerprint == fingerprint, "{}: it belongs to another run: {}; this one is: {}", file.path().string(), state.fingerprint,
                       fingerprint);
  state.step = number<std::int64_t>(file.path(), metadata, "step");
  state.position.epoch = number<std::uint64_t>(file.path(), metadata, "epoch");
  state.position.batch = number<std::uint64_t>(file.path(), metadata, "batch");
  state.evaluations_without_gain = number<std::int64_t>(file.path(), metadata, "evaluations_without_gain");
  state.best_step = number<std::int64_t>(file.path(), metadata, "best_step");
  if (metadata.contains("best_metric")) state.best_metric = number<double>(file.path(), metadata, "best_metric");
  best.clear();
  for (auto& trainable : trainables) {
    const Tensor stored = tensor_like(file, "value." + trainable.name, trainable.value);
    std::memcpy(trainable.value.data(), stored.data(), stored.bytes());
    if (file.contains("best." + trainable.name)) best.push_back(tensor_like(file, "best." + trainable.name, trainable.value).clone());
  }
  std::map<std::string, Tensor> optimizer_state;
  for (const auto& name : file.names()) {
    constexpr std::string_view kPrefix = "optimizer.";
    if (name.starts_with(kPrefix)) optimizer_state[name.substr(kPrefix.size())] = file.get(name);
  }
  optimizer.restore(optimizer_state, state.step);
  return state;
}

}  // namespace preamble
