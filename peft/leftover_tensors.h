// Tensors of adapter files that nothing reads.
#pragma once

#include <functional>
#include <string_view>

#include "data/tensor_archive.h"
#include "peft/peft_config.h"

namespace preamble {

/// Warns of the tensors of an adapter's file that nothing reads: not those for which `read` is true, nor those that the head's reader looks at and
/// speaks of, nor PEFT's untrained copies.
void warn_of_leftovers(const TensorArchive& archive, const PeftConfig& config, const std::function<bool(std::string_view name)>& read, const Warn& warn);

}  // namespace preamble
