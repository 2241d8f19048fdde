#include "models/tied_head.h"

#include <cstring>

namespace preamble {

bool has_own_head(const ParameterSource& source, std::string_view head, std::string_view embedding) {
  if (!source.contains(head)) return false;
  if (!source.contains(embedding)) return true;
  const Tensor a = source.get(head, {}, Dtype::f32);
  const Tensor b = source.get(embedding, {}, Dtype::f32);
  return a.dtype() != b.dtype() || a.dims() != b.dims() || std::memcmp(a.data(), b.data(), a.bytes()) != 0;
}

}  // namespace preamble
