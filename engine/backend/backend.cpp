#include "engine/backend/backend.h"

#include <algorithm>
#include <atomic>
#include <optional>

#include "engine/core/error.h"

namespace preamble {
namespace {

std::atomic<const Backend*> chosen_backend{nullptr};

}  // namespace

const Backend& default_backend() noexcept {
  const Backend* chosen = chosen_backend.load();
  return chosen != nullptr ? *chosen : cpu_backend();
}

void set_default_backend(const Backend& backend) noexcept { chosen_backend.store(&backend); }

Dtype activation_type(const Node& node) noexcept {
  std::optional<Dtype> with_rows;
  std::optional<Dtype> any;
  const auto see = [&](const Type& type) {
    if (!is_floating(type.dtype)) return;
    if (!any) any = type.dtype;
    if (type.has_rows() && (!with_rows || size_of(type.dtype) < size_of(*with_rows))) with_rows = type.dtype;
  };
  for (const auto& type : node.outputs) see(type);
  for (const auto& input : node.inputs) {
    if (input) see(input.type());
  }
  return with_rows ? *with_rows : any.value_or(Dtype::f32);
}

void require_kernel(const Backend& backend, const Node& node) {
  const Dtype activation = activation_type(node);
  require<UnsupportedError>(backend.has_kernel(node.op->name(), activation), "{}: the backend '{}' has no kernel for {}", node.op->name(),
                            backend.name(), name_of(activation));
  for (const Value& input : node.inputs) {
    if (!input) continue;
    const Dtype stored = input.type().dtype;
    require<UnsupportedError>(backend.reads(stored), "{}: the backend '{}' does not read matrices of type {}", node.op->name(), backend.name(),
                              name_of(stored));
  }
}

}  // namespace preamble
