#include "data/json_file.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

#include "data/lfs_pointer.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

using nlohmann::json;

/// The value for a message: scalars as they stand, the rest by kind.
std::string shown(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  constexpr std::size_t kLongest = 60;
  auto text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() > kLongest ? text.substr(0, kLongest) + "..." : text;
}

template <class T>
struct Field;

template <>
struct Field<bool> {
  static constexpr std::string_view kWanted = "true or false";
  static bool fits(const json& value) { return value.is_boolean(); }
};

template <>
struct Field<std::int64_t> {
  static constexpr std::string_view kWanted = "an integer";
  static bool fits(const json& value) {
    // unsigned is how the parser holds every number above zero
    return value.is_number_integer() &&
           (!value.is_number_unsigned() ||
            value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  }
};

template <>
struct Field<int> : Field<std::int64_t> {};

template <>
struct Field<double> {
  static constexpr std::string_view kWanted = "a number";
  static bool fits(const json& value) { return value.is_number(); }
};

template <>
struct Field<float> : Field<double> {};

template <>
struct Field<std::string> {
  static constexpr std::string_view kWanted = "a string";
  static bool fits(const json& value) { return value.is_string(); }
};

template <class Item>
bool all_fit(const json& values) {
  return std::all_of(values.begin(), values.end(), Field<Item>::fits);
}

template <>
struct Field<std::vector<std::int64_t>> {
  static constexpr std::string_view kWanted = "an array of integers";
  static bool fits(const json& value) { return value.is_array() && all_fit<std::int64_t>(value); }
};

template <>
struct Field<std::vector<std::string>> {
  static constexpr std::string_view kWanted = "an array of strings";
  static bool fits(const json& value) { return value.is_array() && all_fit<std::string>(value); }
};

template <>
struct Field<std::map<std::string, std::string>> {
  static constexpr std::string_view kWanted = "an object of strings";
  static bool fits(const json& value) { return value.is_object() && all_fit<std::string>(value); }
};

/// Whether a value that fits its field by kind fits `T` by size too.
template <class T>
bool in_range(const json& value) {
  if constexpr (std::is_same_v<T, int>) return std::in_range<int>(value.get<std::int64_t>());
  if constexpr (std::is_same_v<T, float>) return std::abs(value.get<double>()) <= static_cast<double>(std::numeric_limits<float>::max());
  return true;
}

}  // namespace

JsonFile JsonFile::open(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  refuse_lfs_pointer(text, path);
  return parse(text, path.string());
}

JsonFile JsonFile::parse(std::string_view text, std::string where) {
  auto value = std::make_shared<json>();
  try {
    *value = json::parse(text);
  } catch (const json::exception& error) {
    // a syntax error or a number out of range; its text without the tag "[json.exception.parse_error.101] "
    const std::string_view message = error.what();
    const auto tag = message.find("] ");
    raise<FileError>("{}: {}; wanted valid JSON", where, tag == std::string_view::npos ? message : message.substr(tag + 2));
  }
  require<FileError>(value->is_object(), "{}: holds {}; wanted an object", where, shown(*value));
  return {std::move(value), std::move(where)};
}

bool JsonFile::has(std::string_view key) const { return field(key) != nullptr; }

template <class T>
std::optional<T> JsonFile::read(std::string_view key, bool required) const {
  const json* value = field(key);
  require<FileError>(value != nullptr || !required, "{}: field '{}' is missing; wanted {}", where_, key, Field<T>::kWanted);
  if (value == nullptr) return std::nullopt;
  require<FileError>(Field<T>::fits(*value), "{}: field '{}' is {}; wanted {}", where_, key, shown(*value), Field<T>::kWanted);
  require<FileError>(in_range<T>(*value), "{}: field '{}' is {}; wanted {} that fits {} bits", where_, key, shown(*value),
                     Field<T>::kWanted, 8 * sizeof(T));
  return value->get<T>();
}

template std::optional<bool> JsonFile::read(std::string_view, bool) const;
template std::optional<int> JsonFile::read(std::string_view, bool) const;
template std::optional<std::int64_t> JsonFile::read(std::string_view, bool) const;
template std::optional<float> JsonFile::read(std::string_view, bool) const;
template std::optional<double> JsonFile::read(std::string_view, bool) const;
template std::optional<std::string> JsonFile::read(std::string_view, bool) const;
template std::optional<std::vector<std::int64_t>> JsonFile::read(std::string_view, bool) const;
template std::optional<std::vector<std::string>> JsonFile::read(std::string_view, bool) const;
template std::optional<std::map<std::string, std::string>> JsonFile::read(std::string_view, bool) const;

JsonFile JsonFile::section(std::string_view key) const {
  const json* value = field(key);
  require<FileError>(value != nullptr, "{}: field '{}' is missing; wanted an object", where_, key);
  require<FileError>(value->is_object(), "{}: field '{}' is {}; wanted an object", where_, key, shown(*value));
  return {std::shared_ptr<const json>(value_, value), fmt::format("{}: {}", where_, key)};
}

const json* JsonFile::field(std::string_view key) const {
  const auto found = value_->find(key);
  return found == value_->end() || found->is_null() ? nullptr : &*found;
}

}  // namespace preamble
