#include "engine/core/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

struct Entry {
  std::string_view name;
  std::size_t size;
};

// in the order of the enumeration
constexpr std::array<Entry, 23> kEntries = {{{"F32", 4},
                                             {"F64", 8},
                                             {"BF16", 2},
                                             {"F16", 2},
                                             {"I8", 1},
                                             {"U8", 1},
                                             {"I16", 2},
                                             {"U16", 2},
                                             {"I32", 4},
                                             {"U32", 4},
                                             {"I64", 8},
                                             {"U64", 8},
                                             {"BOOL", 1},
                                             {"INT8_ROWS", 0},
                                             {"INT8_COLUMNS", 0},
                                             {"INT4_32", 0},
                                             {"INT4_64", 0},
                                             {"NF4_32", 0},
                                             {"NF4_64", 0},
                                             {"Q8_0", 0},
                                             {"Q4_0", 0},
                                             {"Q4_K", 0},
                                             {"Q6_K", 0}}};

template <class T>
auto widen(T x) noexcept {
  if constexpr (std::is_same_v<T, BFloat16> || std::is_same_v<T, Float16>) {
    return to_float(x);
  } else {
    return x;
  }
}

template <class From, class To>
void convert_all(const void* source, void* target, std::size_t count) noexcept {
  const auto* from = static_cast<const From*>(source);
  auto* to = static_cast<To*>(target);
  for (std::size_t i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<To, BFloat16>) {
      to[i] = to_bfloat16(static_cast<float>(widen(from[i])));
    } else {
      to[i] = static_cast<To>(widen(from[i]));
    }
  }
}

/// Calls `visit` with a null pointer of the C++ type behind `dtype`; false if there is none.
template <class Visit>
bool with_type(Dtype dtype, const Visit& visit) {
  switch (dtype) {
    case Dtype::f32: return visit(static_cast<float*>(nullptr));
    case Dtype::f64: return visit(static_cast<double*>(nullptr));
    case Dtype::bf16: return visit(static_cast<BFloat16*>(nullptr));
    case Dtype::f16: return visit(static_cast<Float16*>(nullptr));
    case Dtype::i8: return visit(static_cast<std::int8_t*>(nullptr));
    case Dtype::u8: return visit(static_cast<std::uint8_t*>(nullptr));
    case Dtype::i16: return visit(static_cast<std::int16_t*>(nullptr));
    case Dtype::u16: return visit(static_cast<std::uint16_t*>(nullptr));
    case Dtype::i32: return visit(static_cast<std::int32_t*>(nullptr));
    case Dtype::u32: return visit(static_cast<std::uint32_t*>(nullptr));
    case Dtype::i64: return visit(static_cast<std::int64_t*>(nullptr));
    case Dtype::u64: return visit(static_cast<std::uint64_t*>(nullptr));
    case Dtype::boolean: return visit(static_cast<std::uint8_t*>(nullptr));
    default: return false;  // quantised
  }
}

}  // namespace

std::size_t size_of(Dtype dtype) noexcept { return kEntries[static_cast<std::size_t>(dtype)].size; }

std::string_view name_of(Dtype dtype) noexcept { return kEntries[static_cast<std::size_t>(dtype)].name; }

Dtype dtype_of(std::string_view name) {
  for (std::size_t i = 0; i < kEntries.size(); ++i) {
    if (kEntries[i].name == name) return static_cast<Dtype>(i);
  }
  raise<DtypeError>("dtype: '{}' was given; wanted one of F32 F64 BF16 F16 I8 U8 I16 U16 I32 U32 I64 U64 BOOL", name);
}

float to_float(BFloat16 x) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16U); }

float to_float(Float16 x) noexcept {
  const std::uint32_t sign = (x.bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (x.bits >> 10U) & 0x1FU;
  const std::uint32_t mantissa = x.bits & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13U));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
}

BFloat16 to_bfloat16(float x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((bits >> 16U) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U)};
}

void convert(const void* source, Dtype from, void* target, Dtype to, std::size_t count) {
  if (from == to && !is_quantised(from)) {
    if (count != 0) std::memcpy(target, source, count * size_of(from));
    return;
  }
  const bool quantised = is_quantised(from) || is_quantised(to);
  const bool same_kind = !quantised && is_floating(from) == is_floating(to) && from != Dtype::boolean && to != Dtype::boolean;
  const bool done = same_kind && to != Dtype::f16 && with_type(from, [&](auto* f) {
    return with_type(to, [&](auto* t) {
      using From = std::remove_pointer_t<decltype(f)>;
      using To = std::remove_pointer_t<decltype(t)>;
      constexpr bool from_real = std::is_floating_point_v<From> || std::is_same_v<From, BFloat16> || std::is_same_v<From, Float16>;
      constexpr bool to_real = std::is_floating_point_v<To> || std::is_same_v<To, BFloat16>;
      constexpr bool to_whole = std::is_integral_v<To>;
      if constexpr ((from_real && to_real) || (!from_real && to_whole)) {
        convert_all<From, To>(source, target, count);
        return true;
      } else {
        return false;
      }
    });
  });
  require<DtypeError>(done, "convert: {} to {} was asked for; wanted two floating or two integer types", name_of(from), name_of(to));
}

}  // namespace preamble
