// JSON files with typed fields and one clear error.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace preamble {

/// A JSON object and where it came from. Cheap to copy: sections share the document.
///
/// `T` of the field functions is one of bool, int, std::int64_t, float, double, std::string, std::vector<std::int64_t>,
/// std::vector<std::string> and std::map<std::string, std::string>. A whole number may stand where a float is wanted,
/// nothing else is converted. A field that is null counts as absent. Errors are FileError of the form
/// `config.json: field 'd_model' is "abc"; wanted an integer`.
class JsonFile {
 public:
  /// Reads a file that holds one object. Throws FileError with the path and the place of the first mistake.
  [[nodiscard]] static JsonFile open(const std::filesystem::path& path);
  /// The same from text; `where` takes the place of the path.
  [[nodiscard]] static JsonFile parse(std::string_view text, std::string where);

  /// Whether the field is there and not null.
  [[nodiscard]] bool has(std::string_view key) const;
  /// The field, or nothing if it is absent or null. Throws if it has another type or does not fit.
  template <class T>
  [[nodiscard]] std::optional<T> find(std::string_view key) const {
    return read<T>(key, false);
  }
  /// The field. Throws also if it is absent or null.
  template <class T>
  [[nodiscard]] T get(std::string_view key) const {
    return std::move(*read<T>(key, true));
  }
  /// The field, or `fallback` if it is absent or null.
  template <class T>
  [[nodiscard]] T get(std::string_view key, T fallback) const {
    auto found = find<T>(key);
    return found ? std::move(*found) : std::move(fallback);
  }
  /// A field that is an object itself. Throws if it is anything else.
  [[nodiscard]] JsonFile section(std::string_view key) const;

  /// The object, for what the typed functions don't cover.
  [[nodiscard]] const nlohmann::json& value() const noexcept { return *value_; }
  /// The path as it was given, and for sections their names.
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

 private:
  JsonFile(std::shared_ptr<const nlohmann::json> value, std::string where) : value_(std::move(value)), where_(std::move(where)) {}

  template <class T>
  [[nodiscard]] std::optional<T> read(std::string_view key, bool required) const;
  [[nodiscard]] const nlohmann::json* field(std::string_view key) const;

  std::shared_ptr<const nlohmann::json> value_;
  std::string where_;
};

}  // namespace preamble
