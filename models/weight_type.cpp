#include "models/weight_type.h"

#include <algorithm>
#include <array>

#include "engine/core/error.h"

namespace preamble {
namespace {

struct NamedType {
  std::string_view name;
  Dtype dtype;
};

constexpr std::array kWeightTypes = {NamedType{"f32", Dtype::f32},      NamedType{"bf16", Dtype::bf16},       NamedType{"int8", Dtype::int8_rows},
                               NamedType{"nf4", Dtype::nf4_64},   NamedType{"nf4-32", Dtype::nf4_32},   NamedType{"nf4-64", Dtype::nf4_64},
                               NamedType{"int4", Dtype::int4_32}, NamedType{"int4-32", Dtype::int4_32}, NamedType{"int4-64", Dtype::int4_64}};

}  // namespace

std::vector<std::string> weight_type_names() {
  std::vector<std::string> names;
  for (const auto& type : kWeightTypes) names.emplace_back(type.name);
  return names;
}

Dtype weight_type_of(std::string_view name) {
  const auto* found = std::ranges::find(kWeightTypes, name, &NamedType::name);
  require<ConfigError>(found != kWeightTypes.end(), "weights: {} was given; wanted one of {}", name, fmt::join(weight_type_names(), ", "));
  return found->dtype;
}

}  // namespace preamble
