// Tables of the vocabulary that a checkpoint holds under several names, or under another name than the model's own.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "models/parameters.h"

namespace preamble {

/// True if `head` is there and differs from `embedding`: transformers also saves copies of tied tensors.
[[nodiscard]] bool has_own_head(const ParameterSource& source, std::string_view head, std::string_view embedding);

/// The first of `names` that the checkpoint has; the first of all if it has none. Files of tied tensors keep one of their names.
[[nodiscard]] std::string first_present(const Parameters& parameters, std::initializer_list<std::string> names);

/// Marks the `copies` of `table` that the checkpoint has as known. Throws UnsupportedError if one of them differs from it: the model has
/// one table.
void tolerate_copies(Parameters& parameters, const ParameterSource& source, std::string_view table, std::initializer_list<std::string> copies);

}  // namespace preamble
