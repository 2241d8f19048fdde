#include "data/safetensors_header.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::array<SafetensorsDtype, 22> kDtypes = {
    {{"BOOL", 8, Dtype::boolean}, {"F4", 4, {}},           {"F6_E2M3", 6, {}},      {"F6_E3M2", 6, {}},      {"U8", 8, Dtype::u8},
     {"I8", 8, Dtype::i8},        {"F8_E5M2", 8, {}},      {"F8_E4M3", 8, {}},      {"F8_E8M0", 8, {}},      {"F8_E4M3FNUZ", 8, {}},
     {"F8_E5M2FNUZ", 8, {}},      {"I16", 16, Dtype::i16}, {"U16", 16, Dtype::u16}, {"F16", 16, Dtype::f16}, {"BF16", 16, Dtype::bf16},
     {"I32", 32, Dtype::i32},     {"U32", 32, Dtype::u32}, {"F32", 32, Dtype::f32}, {"C64", 64, {}},         {"F64", 64, Dtype::f64},
     {"I64", 64, Dtype::i64},     {"U64", 64, Dtype::u64}}};

/// Builds the header from the parser's events, so that a hostile header costs no more than its own size: nothing is
/// kept of what is not wanted, and the first wrong value ends the parse.
class HeaderEvents final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderEvents(const std::string& where) : where_(where) {}

  [[nodiscard]] SafetensorsHeader take() { return std::move(header_); }

  bool null() override { return other("null"); }
  bool boolean(bool value) override { return other(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return other(std::to_string(value)); }
  bool number_float(number_float_t /*value*/, const string_t& text) override { return other(text); }
  bool binary(binary_t& /*value*/) override { return other("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        fail(std::to_string(value), "a dimension below 2^63");
      entry_.dims.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? entry_.begin : entry_.end) = value;
      return true;
    }
    return other(std::to_string(value));
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      if (!header_.metadata.emplace(field_, value).second) fail("a second value", "each key once");
      return true;
    }
    if (place_ == Place::tensor && field_ == "dtype") {
      const auto* found = std::ranges::find(kDtypes, value, &SafetensorsDtype::name);
      if (found == kDtypes.end()) fail("'" + value + "'", "a type of the format");
      entry_.dtype = *found;
      return true;
    }
    return other("'" + value + "'");
  }

  bool start_object(std::size_t /*size*/) override {
    switch (place_) {
      case Place::outside: place_ = Place::header; return true;
      case Place::header: place_ = in_metadata_ ? Place::metadata : Place::tensor; return true;
      default: return nest("an object");
    }
  }

  bool key(string_t& name) override {
    if (depth_ != 0) return true;
    if (place_ == Place::header) {
      in_metadata_ = name == "__metadata__";
      if (in_metadata_ && std::exchange(seen_metadata_, true)) fail("a second __metadata__", "one");
      entry_ = {};
      entry_.name = name;
      seen_dtype_ = seen_shape_ = seen_offsets_ = false;
      field_.clear();
      return true;
    }
    field_ = name;
    if (place_ == Place::tensor &&
        ((field_ == "dtype" && std::exchange(seen_dtype_, true)) || (field_ == "shape" && std::exchange(seen_shape_, true)) ||
         (field_ == "data_offsets" && std::exchange(seen_offsets_, true)))) {
      fail("a second value", "each field once");
    }
    return true;
  }

  bool end_object() override {
    if (depth_ != 0) {
      --depth_;
    } else if (place_ == Place::tensor) {
      finish_entry();
      place_ = Place::header;
    } else {
      place_ = place_ == Place::metadata ? Place::header : Place::outside;
    }
    return true;
  }

  bool start_array(std::size_t /*size*/) override {
    if (depth_ == 0 && place_ == Place::tensor && (field_ == "shape" || field_ == "data_offsets")) {
      place_ = field_ == "shape" ? Place::shape : Place::offsets;
      offsets_ = 0;
      return true;
    }
    return nest("an array");
  }

  bool end_array() override {
    if (depth_ != 0) {
      --depth_;
      return true;
    }
    if (place_ == Place::offsets && offsets_ != 2) fail(fmt::format("an array of {}", offsets_), "two whole numbers");
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string& /*token*/, const nlohmann::detail::exception& /*error*/) override {
    raise<FileError>("{}: header is not valid JSON at byte {}; wanted an object of tensors", where_, position);
  }

 private:
  enum class Place { outside, header, metadata, tensor, shape, offsets };

  /// An unknown field of a tensor, or something inside one: the format wants these ignored.
  [[nodiscard]] bool ignored() const {
    return depth_ != 0 || (place_ == Place::tensor && field_ != "dtype" && field_ != "shape" && field_ != "data_offsets");
  }

  bool other(const std::string& value) {
    if (!ignored()) fail(value, wanted());
    return true;
  }

  bool nest(const std::string& what) {
    if (!ignored()) fail(what, wanted());
    ++depth_;
    return true;
  }

  [[nodiscard]] std::string_view wanted() const {
    switch (place_) {
      case Place::outside: return "an object of tensors";
      case Place::header: return "an object with dtype, shape and data_offsets";
      case Place::metadata: return "a string";
      case Place::shape: return "whole numbers, none below zero";
      case Place::offsets: return "two whole numbers";
      case Place::tensor: break;
    }
    return field_ == "dtype" ? "a string" : "an array";
  }

  [[noreturn]] void fail(const std::string& given, std::string_view wanted) const {
    constexpr std::size_t kLongest = 80;
    const auto given_short = given.size() > kLongest ? given.substr(0, kLongest) + "..." : given;
    const auto place = field_.empty() ? "" : fmt::format(", field '{}'", field_);
    raise<FileError>("{}: header, '{}'{}: {} was given; wanted {}", where_, entry_.name, place, given_short, wanted);
  }

  void finish_entry() {
    field_.clear();
    if (!seen_dtype_) fail("no dtype", "dtype, shape and data_offsets");
    if (!seen_shape_) fail("no shape", "dtype, shape and data_offsets");
    if (!seen_offsets_) fail("no data_offsets", "dtype, shape and data_offsets");
    header_.entries.push_back(std::move(entry_));
  }

  const std::string& where_;
  SafetensorsHeader header_;
  SafetensorsEntry entry_;
  Place place_ = Place::outside;
  std::string field_;
  bool in_metadata_ = false;
  bool seen_metadata_ = false;
  bool seen_dtype_ = false;
  bool seen_shape_ = false;
  bool seen_offsets_ = false;
  int offsets_ = 0;
  std::size_t depth_ = 0;  // of values inside an ignored field
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& where) {
  require<FileError>(!json.empty() && json.front() == '{', "{}: header does not begin with '{{'; wanted a safetensors file", where);
  const auto last = json.find_last_not_of(' ');
  require<FileError>(json[last] == '}', "{}: header ends with byte {:#04x}; wanted '}}' and spaces", where,
                     static_cast<unsigned>(static_cast<unsigned char>(json[last])));
  HeaderEvents events(where);
  nlohmann::json::sax_parse(json, &events);
  return events.take();
}

}  // namespace preamble
