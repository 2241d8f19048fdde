#include "models/tied_tables.h"

#include <algorithm>
#include <cstring>

#include "engine/core/error.h"

namespace preamble {
namespace {

bool same_tensor(const ParameterSource& source, std::string_view one, std::string_view other) {
  const Tensor a = source.get(one, {}, Dtype::f32);
  const Tensor b = source.get(other, {}, Dtype::f32);
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return false;
  return a.data() == b.data() || std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

}  // namespace

bool has_own_head(const ParameterSource& source, std::string_view head, std::string_view embedding) {
  if (!source.contains(head)) return false;
  return !source.contains(embedding) || !same_tensor(source, head, embedding);
}

std::string first_present(const Parameters& parameters, std::initializer_list<std::string> names) {
  const auto* found = std::ranges::find_if(names, [&](const std::string& name) { return parameters.contains(name); });
  return found == names.end() ? *names.begin() : *found;
}

void tolerate_copies(Parameters& parameters, const ParameterSource& source, std::string_view table, std::initializer_list<std::string> copies) {
  for (const auto& copy : copies) {
    if (copy == table || !source.contains(copy) || !source.contains(table)) continue;
    require<UnsupportedError>(same_tensor(source, copy, table), "{} differs from '{}'; wanted equal tables: the model has one", source.where(copy),
                              table);
    parameters.tolerate(copy);
  }
}

}  // namespace preamble
