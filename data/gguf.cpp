#include "data/gguf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/byte_reader.h"
#include "engine/core/error.h"
#include "engine/core/stored_matrix.h"

namespace preamble {
namespace {

using Fact = nlohmann::json;

constexpr std::uint32_t kGgufMagic = 0x46554747;  // GGUF
constexpr std::uint64_t kMostTensors = 1 << 20, kMostKeys = 1 << 20, kLongestName = 1 << 16, kLongestText = 1 << 28;

/// Types of metadata values, by their numbers in the file.
enum class Kind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

struct TensorType {
  std::uint32_t number;
  std::string_view name;
  Dtype dtype;
};

constexpr std::array kTensorTypes = {
    TensorType{0, "F32", Dtype::f32},   TensorType{1, "F16", Dtype::f16},    TensorType{2, "Q4_0", Dtype::q4_0},
    TensorType{8, "Q8_0", Dtype::q8_0}, TensorType{12, "Q4_K", Dtype::q4_k}, TensorType{14, "Q6_K", Dtype::q6_k},
    TensorType{24, "I8", Dtype::i8},    TensorType{25, "I16", Dtype::i16},   TensorType{26, "I32", Dtype::i32},
    TensorType{27, "I64", Dtype::i64},  TensorType{28, "F64", Dtype::f64},   TensorType{30, "BF16", Dtype::bf16}};

class Header {
 public:
  Header(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where), reader_(bytes, where) {
    require<FileError>(reader_.read<std::uint32_t>() == kGgufMagic, "{}: begins with other bytes than GGUF; wanted a GGUF file", where_);
    const auto version = reader_.read<std::uint32_t>();
    require<FileError>(version == 2 || version == 3, "{}: GGUF version {}; wanted 2 or 3", where_, version);
    tensors_ = reader_.read<std::uint64_t>();
    const auto keys = reader_.read<std::uint64_t>();
    require<FileError>(tensors_ <= kMostTensors && keys <= kMostKeys, "{}: claims {} tensors and {} keys; wanted at most {} and {}", where_,
                       tensors_, keys, kMostTensors, kMostKeys);
    for (std::uint64_t i = 0; i < keys; ++i) {
      std::string key = text(kLongestName);
      const Kind kind = read_kind();
      require<FileError>(!facts_.contains(key), "{}: the key '{}' is there twice; wanted each key once", where_, key);
      facts_[std::move(key)] = value(kind, true);
    }
    use_alignment();
  }

  [[nodiscard]] Fact facts() { return std::move(facts_); }

  [[nodiscard]] std::vector<TensorRecord> records() {
    struct Place {
      TensorRecord record;
      std::uint64_t offset;
    };
    std::vector<Place> places;
    for (std::uint64_t i = 0; i < tensors_; ++i) {
      TensorRecord record;
      record.name = text(kLongestName);
      const auto axes = reader_.read<std::uint32_t>();
      require<FileError>(axes >= 1 && axes <= 4, "{}: tensor '{}' has {} axes; wanted 1 to 4", where_, record.name, axes);
      for (std::uint32_t axis = 0; axis < axes; ++axis) {
        const auto dim = reader_.read<std::uint64_t>();
        require<FileError>(dim < (1ULL << 31U), "{}: tensor '{}' has {} elements along an axis; wanted fewer than 2^31", where_,
                           record.name, dim);
        record.dims.insert(record.dims.begin(), static_cast<std::int64_t>(dim));  // the innermost axis comes first
      }
      const auto number = reader_.read<std::uint32_t>();
      const auto* type = std::ranges::find(kTensorTypes, number, &TensorType::number);
      require<UnsupportedError>(type != kTensorTypes.end(), "{}: tensor '{}' is of GGML type {}; wanted F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K",
                                where_, record.name, number);
      record.dtype = type->dtype;
      record.dtype_name = type->name;
      const auto offset = reader_.read<std::uint64_t>();
      places.push_back({std::move(record), offset});
    }
    const std::uint64_t begin = (reader_.position() + alignment_ - 1) / alignment_ * alignment_;
    std::vector<TensorRecord> records;
    for (auto& [record, offset] : places) {
      record.data = bytes_.data() + place_of(record, begin, offset);
      records.push_back(std::move(record));
    }
    return records;
  }

 private:
  /// Where a tensor begins in the file. Throws FileError unless all of it lies inside.
  [[nodiscard]] std::uint64_t place_of(const TensorRecord& record, std::uint64_t begin, std::uint64_t offset) const {
    const std::int64_t block = block_columns(*record.dtype);
    require<FileError>(record.dims.back() % block == 0, "{}: tensor '{}' is {} {}; wanted a multiple of {} columns", where_, record.name,
                       record.dtype_name, to_string(record.dims), block);
    std::int64_t count = 1;
    bool fits = true;
    for (const auto dim : record.dims) fits = fits && !__builtin_mul_overflow(count, dim, &count) && count < (1LL << 48);
    const auto bytes = fits ? static_cast<std::uint64_t>(bytes_of(*record.dtype, record.dims)) : 0;
    fits = fits && offset <= bytes_.size() && begin + offset <= bytes_.size() && bytes <= bytes_.size() - begin - offset;
    require<FileError>(fits, "{}: tensor '{}' {} {} ends behind the {} bytes of the file (is the download complete?)", where_, record.name,
                       record.dtype_name, to_string(record.dims), bytes_.size());
    return begin + offset;
  }

  /// Reads `general.alignment`, on which the tensors' places depend.
  void use_alignment() {
    const auto found = facts_.find("general.alignment");
    if (found == facts_.end()) return;
    require<FileError>(found->is_number_unsigned(), "{}: general.alignment is {}; wanted a number", where_, found->dump());
    alignment_ = found->get<std::uint64_t>();
    require<FileError>(alignment_ >= 1 && alignment_ <= (1U << 20U), "{}: general.alignment is {}; wanted 1 to 2^20", where_, alignment_);
  }

  [[nodiscard]] std::string text(std::uint64_t longest) {
    const auto length = reader_.read<std::uint64_t>();
    require<FileError>(length <= longest, "{}: a text of {} bytes; wanted at most {}", where_, length, longest);
    return std::string(reader_.text(length));
  }

  [[nodiscard]] Kind read_kind() {
    const auto kind = reader_.read<std::uint32_t>();
    require<FileError>(kind <= static_cast<std::uint32_t>(Kind::f64), "{}: a value of type {}; wanted 0 to 12", where_, kind);
    return static_cast<Kind>(kind);
  }

  template <class From, class To>
  [[nodiscard]] To real() {
    return std::bit_cast<To>(reader_.read<From>());
  }

  [[nodiscard]] Fact value(Kind kind, bool outermost) {
    switch (kind) {
      case Kind::u8: return reader_.read<std::uint8_t>();
      case Kind::i8: return reader_.read<std::int8_t>();
      case Kind::u16: return reader_.read<std::uint16_t>();
      case Kind::i16: return reader_.read<std::int16_t>();
      case Kind::u32: return reader_.read<std::uint32_t>();
      case Kind::i32: return reader_.read<std::int32_t>();
      case Kind::f32: return real<std::uint32_t, float>();
      case Kind::boolean: return reader_.read<std::uint8_t>() != 0;
      case Kind::string: return text(kLongestText);
      case Kind::u64: return reader_.read<std::uint64_t>();
      case Kind::i64: return reader_.read<std::int64_t>();
      case Kind::f64: return real<std::uint64_t, double>();
      case Kind::array: break;
    }
    require<FileError>(outermost, "{}: a list of lists; wanted a list of numbers or texts", where_);
    const Kind inner = read_kind();
    const auto count = reader_.read<std::uint64_t>();
    require<FileError>(count <= bytes_.size(), "{}: a list of {} values; wanted no more than the file has bytes", where_, count);
    Fact list = Fact::array();
    for (std::uint64_t i = 0; i < count; ++i) list.push_back(value(inner, false));
    return list;
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  ByteReader reader_;
  std::uint64_t tensors_ = 0;
  std::uint64_t alignment_ = 32;
  Fact facts_ = Fact::object();
};

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  const std::string where = path.string();
  Header header(file->bytes(), where);
  auto records = header.records();
  TensorFile tensors(std::move(file), std::move(records));
  return {std::move(tensors), std::make_shared<const Fact>(header.facts())};
}

}  // namespace preamble
