#include "models/config_fields.h"

#include <map>

#include "engine/core/error.h"

namespace preamble {

std::int64_t positive_field(const JsonFile& json, std::string_view key, std::int64_t fallback) {
  constexpr std::int64_t kLargest = 1 << 28;
  const auto value = json.get<std::int64_t>(key, fallback);
  require<FileError>(value > 0 && value <= kLargest, "{}: field '{}' is {}; wanted a number from 1 to {}", json.where(), key, value, kLargest);
  return value;
}

ActivationKind activation_named(const JsonFile& json, const std::string& name) {
  static const std::map<std::string, ActivationKind> kKinds = {{"relu", ActivationKind::relu},          {"gelu", ActivationKind::gelu},
                                                               {"gelu_new", ActivationKind::gelu_tanh}, {"gelu_pytorch_tanh", ActivationKind::gelu_tanh},
                                                               {"silu", ActivationKind::silu},          {"swish", ActivationKind::silu},
                                                               {"tanh", ActivationKind::tanh}};
  const auto found = kKinds.find(name);
  require<UnsupportedError>(found != kKinds.end(), "{}: the activation '{}' was given; wanted relu, gelu, gelu_new, silu or tanh", json.where(), name);
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
