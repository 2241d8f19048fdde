// Fields that the config.json of several architectures have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/json_file.h"
#include "engine/ops/activation.h"

namespace preamble {

/// A size: from 1 to 2^28. Throws FileError for anything else.
[[nodiscard]] std::int64_t positive_field(const JsonFile& json, std::string_view key, std::int64_t fallback);
/// The constant of a norm. Throws FileError unless it is positive.
[[nodiscard]] double epsilon_field(const JsonFile& json, std::string_view key, double fallback);
/// Throws FileError unless the size is a multiple of the number of parts: `hidden_size` of `num_attention_heads`.
void require_multiple(const JsonFile& json, std::string_view size_key, std::int64_t size, std::string_view parts_key, std::int64_t parts);
/// transformers' name of an activation function. Throws UnsupportedError for an unknown one.
[[nodiscard]] ActivationKind activation_named(const JsonFile& json, const std::string& name);
/// A token id, `fallback` if the field is absent. Throws FileError unless it is in [0, vocabulary).
[[nodiscard]] std::int64_t token_field(const JsonFile& json, std::string_view key, std::int64_t fallback, std::int64_t vocabulary);
/// Throws UnsupportedError if the field is there with another value than `wanted`.
void require_field(const JsonFile& json, std::string_view key, bool wanted);

}  // namespace preamble
