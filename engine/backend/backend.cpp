#include "engine/backend/backend.h"

#include "engine/core/error.h"

namespace preamble {

Kernel require_kernel(const Backend& backend, std::string_view op, Dtype real) {
  const Kernel kernel = backend.find(op, real);
  require<UnsupportedError>(kernel != nullptr, "{}: the backend '{}' has no kernel for {}", op, backend.name(), name_of(real));
  return kernel;
}

}  // namespace preamble
