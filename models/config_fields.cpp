#include "models/config_fields.h"

#include <map>
#include <ranges>

#include <fmt/ranges.h>

#include "engine/core/error.h"

namespace preamble {

std::int64_t positive_field(const JsonFile& json, std::string_view key, std::int64_t fallback) {
  constexpr std::int64_t kLargest = 1 << 28;
  const auto value = json.get<std::int64_t>(key, fallback);
  require<FileError>(value > 0 && value <= kLargest, "{}: field '{}' is {}; wanted a number from 1 to {}", json.where(), key, value, kLargest);
  return value;
}

double epsilon_field(const JsonFile& json, std::string_view key, double fallback) {
  const auto value = json.get<double>(key, fallback);
  require<FileError>(value > 0, "{}: field '{}' is {}; wanted a positive number", json.where(), key, value);
  return value;
}

void require_multiple(const JsonFile& json, std::string_view size_key, std::int64_t size, std::string_view parts_key, std::int64_t parts) {
  require<FileError>(size % parts == 0, "{}: {} is {} and {} {}; wanted a multiple", json.where(), size_key, size, parts_key, parts);
}

ActivationKind activation_named(const JsonFile& json, const std::string& name) {
  // gelu_fast, gelu_accurate and the others of one line are one function, their constants written with more or fewer digits
  static const std::map<std::string, ActivationKind> kKinds = {
      {"gelu", ActivationKind::gelu},           {"gelu_python", ActivationKind::gelu},
      {"gelu_10", ActivationKind::clipped_gelu},
      {"gelu_new", ActivationKind::gelu_tanh},  {"gelu_pytorch_tanh", ActivationKind::gelu_tanh},
      {"gelu_fast", ActivationKind::gelu_tanh}, {"gelu_python_tanh", ActivationKind::gelu_tanh},
      {"gelu_accurate", ActivationKind::gelu_tanh},
      {"mish", ActivationKind::mish},
      {"quick_gelu", ActivationKind::quick_gelu},
      {"relu", ActivationKind::relu},
      {"sigmoid", ActivationKind::sigmoid},
      {"silu", ActivationKind::silu},           {"swish", ActivationKind::silu},
      {"tanh", ActivationKind::tanh}};
  const auto found = kKinds.find(name);
  require<UnsupportedError>(found != kKinds.end(), "{}: the activation '{}' was given; wanted one of {}", json.where(), name,
                            fmt::join(std::views::keys(kKinds), ", "));
  return found->second;
}

std::int64_t token_field(const JsonFile& json, std::string_view key, std::int64_t fallback, std::int64_t vocabulary) {
  const auto id = json.get<std::int64_t>(key, fallback);
  require<FileError>(id >= 0 && id < vocabulary, "{}: field '{}' is {}; wanted a row of the vocabulary of {}", json.where(), key, id, vocabulary);
  return id;
}

void require_field(const JsonFile& json, std::string_view key, bool wanted) {
  const bool value = json.get<bool>(key, wanted);
  require<UnsupportedError>(value == wanted, "{}: field '{}' is {}; wanted {}", json.where(), key, value, wanted);
}

}  // namespace preamble
