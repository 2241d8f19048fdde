// Metadata of a GGUF file about its model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "data/gguf.h"

namespace preamble {

/// Values whose keys begin with the architecture's name (`llama.block_count`). Keys are given without it.
class GgufFacts {
 public:
  GgufFacts(const GgufFile& file, std::string architecture) : file_(file), architecture_(std::move(architecture)) {}

  [[nodiscard]] const std::string& architecture() const noexcept { return architecture_; }
  [[nodiscard]] const GgufFile& file() const noexcept { return file_; }

  /// A positive whole number. Throws FileError if there is none, unless `absent` is given.
  [[nodiscard]] std::int64_t whole(std::string_view key, std::optional<std::int64_t> absent = {}) const;
  /// A number. Throws FileError if there is none, unless `absent` is given.
  [[nodiscard]] double real(std::string_view key, std::optional<double> absent = {}) const;
  /// A text; `absent` where there is none. Throws FileError for another value.
  [[nodiscard]] std::string text(std::string_view key, std::string absent) const;
  [[nodiscard]] bool boolean(std::string_view key, bool absent) const;
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

  /// Rows of a tensor, and whether it is there. Throws FileError for a missing one.
  [[nodiscard]] std::int64_t rows(std::string_view tensor) const;
  [[nodiscard]] bool has_tensor(std::string_view tensor) const { return file_.contains(tensor); }

 private:
  [[nodiscard]] const nlohmann::json* find(std::string_view key) const;

  const GgufFile& file_;
  std::string architecture_;
};

}  // namespace preamble
