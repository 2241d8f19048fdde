// the loader's own copy of the functions of a row
#define PREAMBLE_ISA loader

#include "engine/core/quantise.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "engine/core/decode_row.h"
#include "engine/core/error.h"
#include "engine/core/parallel.h"

namespace preamble {
namespace {

constexpr std::int64_t kRowsATask = 16;

StoredMatrix stored(const Tensor& matrix) { return StoredMatrix::of(matrix.dtype(), matrix.dim(0), matrix.dim(1), matrix.data()); }

void require_matrix(const Tensor& tensor, std::string_view what) {
  require<ShapeError>(tensor.dims().size() == 2, "{}: {} was given; wanted a matrix", what, to_string(tensor.dims()));
  require<DtypeError>(is_floating(tensor.dtype()) || is_quantised(tensor.dtype()), "{}: {} was given; wanted a floating type", what,
                      name_of(tensor.dtype()));
}

float largest_of(const float* row, std::int64_t count) noexcept {
  float largest = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(row[i]));
  return largest;
}

/// round(x / scale), at most `most` in magnitude; 0 where all numbers are zero.
int rounded(float x, float scale, int most) noexcept {
  if (scale == 0) return 0;
  return std::clamp(static_cast<int>(std::nearbyint(x / scale)), -most, most);
}

/// The number of NF4 that is nearest to x in [-1, 1].
std::uint8_t nearest_nf4(float x) noexcept {
  std::uint8_t code = 0;
  while (code < 15 && x > (loader::kNf4[code] + loader::kNf4[code + 1]) / 2) ++code;
  return code;
}

/// Writes the rows of one quantised matrix.
class Encoder {
 public:
  Encoder(const StoredMatrix& from, const StoredMatrix& to) : from_(from), to_(to) {
    if (to.dtype == Dtype::int8_columns) measure_columns();
  }

  void row(std::int64_t r, std::vector<float>& numbers) {
    loader::decode_row(from_, r, 0, from_.columns, numbers.data());
    if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); })) {
      finite_ = false;
      return;
    }
    switch (to_.dtype) {
      case Dtype::int8_rows: {
        const float scale = largest_of(numbers.data(), to_.columns) / 127;
        *scales(r) = scale;
        return int8(r, numbers.data(), [scale](std::int64_t) { return scale; });
      }
      case Dtype::int8_columns: return int8(r, numbers.data(), [this](std::int64_t c) { return to_.scales[c]; });
      default: return four_bits(r, numbers.data());
    }
  }

  /// False if a value was not finite.
  [[nodiscard]] bool finite() const noexcept { return finite_; }

 private:
  [[nodiscard]] float* scales(std::int64_t r) const noexcept { return const_cast<float*>(to_.scales) + r * to_.row_scales; }
  template <class T>
  [[nodiscard]] T* values(std::int64_t r) const noexcept {
    return reinterpret_cast<T*>(const_cast<std::byte*>(to_.row(r)));
  }

  void measure_columns() {
    float* largest = const_cast<float*>(to_.scales);
    std::vector<float> numbers(static_cast<std::size_t>(from_.columns));
    for (std::int64_t r = 0; r < from_.rows; ++r) {
      loader::decode_row(from_, r, 0, from_.columns, numbers.data());
      for (std::int64_t c = 0; c < from_.columns; ++c) {
        largest[c] = std::max(largest[c], std::fabs(numbers[static_cast<std::size_t>(c)]));
      }
    }
    for (std::int64_t c = 0; c < from_.columns; ++c) largest[c] /= 127;
  }

  template <class Scale>
  void int8(std::int64_t r, const float* numbers, const Scale& scale_of) {
    auto* q = values<std::int8_t>(r);
    for (std::int64_t c = 0; c < to_.columns; ++c) q[c] = static_cast<std::int8_t>(rounded(numbers[c], scale_of(c), 127));
  }

  void four_bits(std::int64_t r, const float* numbers) {
    const bool nf4 = to_.dtype == Dtype::nf4_32 || to_.dtype == Dtype::nf4_64;
    auto* bytes = values<std::uint8_t>(r);
    float* scale = scales(r);
    for (std::int64_t first = 0; first < to_.columns; first += to_.group, ++scale) {
      const std::int64_t count = std::min(to_.group, to_.columns - first);
      const float largest = largest_of(numbers + first, count);
      *scale = nf4 ? largest : largest / 7;
      for (std::int64_t i = 0; i < count; ++i) {
        const float x = numbers[first + i];
        const int code = nf4 ? nearest_nf4(largest == 0 ? 0.0F : x / largest) : rounded(x, *scale, 7) + 8;
        const std::int64_t place = (first + i) % 32;
        bytes[(first + i) / 32 * 16 + place % 16] |= static_cast<std::uint8_t>(code << (place < 16 ? 0 : 4));
      }
    }
  }

  StoredMatrix from_, to_;
  std::atomic<bool> finite_ = true;
};

}  // namespace

Tensor quantise(const Tensor& matrix, Dtype to) {
  require_matrix(matrix, "quantise");
  require<DtypeError>(is_quantised(to) && block_columns(to) == 1,
                      "quantise: {} was asked for; wanted INT8_ROWS, INT8_COLUMNS, INT4_32, INT4_64, "
                      "NF4_32 or NF4_64",
                      name_of(to));
  Tensor result(to, matrix.dims());
  prefer_large_pages(result.data(), result.bytes());
  Encoder encoder(stored(matrix), stored(result));
  parallel_for(matrix.dim(0), kRowsATask, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> numbers(static_cast<std::size_t>(matrix.dim(1)));
    for (std::int64_t r = begin; r < end; ++r) encoder.row(r, numbers);
  });
  require<Error>(encoder.finite(), "quantise: a matrix {} with a value that is not finite was given; wanted finite numbers",
                 to_string(matrix.dims()));
  return result;
}

Tensor dequantise(const Tensor& matrix, std::int64_t first, std::int64_t count) {
  require_matrix(matrix, "dequantise");
  Tensor result(Dtype::f32, {count, matrix.dim(1)});
  const StoredMatrix from = stored(matrix);
  float* to = result.values<float>().data();
  parallel_for(count, kRowsATask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) loader::decode_row(from, first + r, 0, from.columns, to + r * from.columns);
  });
  return result;
}

QuantisationError quantisation_error(const Tensor& quantised, const Tensor& source) {
  require_matrix(quantised, "quantisation error");
  require_matrix(source, "quantisation error");
  require<ShapeError>(quantised.dims() == source.dims(), "quantisation error: {} and {} were given; wanted equal shapes",
                      to_string(quantised.dims()), to_string(source.dims()));
  const StoredMatrix q = stored(quantised), w = stored(source);
  std::vector<double> a(static_cast<std::size_t>(w.columns)), b(a.size());
  QuantisationError error;
  double difference = 0, norm = 0;
  for (std::int64_t r = 0; r < w.rows; ++r) {
    loader::decode_row(q, r, 0, q.columns, a.data());
    loader::decode_row(w, r, 0, w.columns, b.data());
    for (std::size_t c = 0; c < a.size(); ++c) {
      const double d = a[c] - b[c];
      difference += d * d;
      norm += b[c] * b[c];
      error.largest = std::max(error.largest, std::abs(d));
    }
  }
  error.relative = norm == 0 ? 0 : std::sqrt(difference / norm);
  return error;
}

}  // namespace preamble
