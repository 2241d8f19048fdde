#include "engine/ops/adafactor.h"

namespace preamble {

Dims Adafactor::state_dims(const Dims& parameter, std::size_t state) const {
  if (!options.factored(parameter)) return state == 2 ? parameter : Dims{0};
  return state == 2 ? Dims{0} : Dims{parameter[state]};
}

}  // namespace preamble
