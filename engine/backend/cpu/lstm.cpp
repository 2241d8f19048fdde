#include "engine/ops/lstm.h"

#include <algorithm>

#include "engine/backend/cpu/math.h"
#include "engine/backend/cpu/small_product.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// One row: x [4H] (the input's share), w [4H, H], b [4H] -> gates [4H]; h [H] and c [H] hold h', c' and then h, c.
template <class T>
void lstm_row(const T* x, const T* w, const T* b, T* gates, T* h, T* c, std::int64_t n) noexcept {
  for (std::int64_t k = 0; k < 4 * n; ++k) gates[k] = x[k] + b[k] + dot(w + k * n, h, n);
  T* i = gates;
  T* f = gates + n;
  T* g = gates + 2 * n;
  T* o = gates + 3 * n;
  for (std::int64_t j = 0; j < n; ++j) {
    i[j] = sigmoid_of(i[j]);
    f[j] = sigmoid_of(f[j]);
    g[j] = tanh_of(g[j]);
    o[j] = sigmoid_of(o[j]);
    c[j] = f[j] * c[j] + i[j] * g[j];
    h[j] = o[j] * tanh_of(c[j]);
  }
}

/// Writes row r of an output, if anybody reads it.
template <class T>
void store(const View& out, std::int64_t r, const T* row) noexcept {
  if (out) std::copy_n(row, out.width, out.as<T>() + r * out.width);
}

}  // namespace

template <class T>
void lstm(const KernelArguments& args) {
  const View& x = args.in[Lstm::kInput];
  const std::int64_t n = x.width / 4;
  const bool reversed = static_cast<const Lstm&>(args.op).reversed;
  T* h = reinterpret_cast<T*>(args.workspace);
  T* c = h + n;
  T* gates = c + n;
  const RowLayout& layout = *x.layout;
  for (std::int32_t s = 0; s < layout.segments; ++s) {
    std::fill_n(h, 2 * n, T(0));
    for (std::int32_t t = 0; t < layout.length(s); ++t) {
      const std::int64_t r = reversed ? layout.offsets[s + 1] - 1 - t : layout.offsets[s] + t;
      lstm_row(x.as<T>() + r * x.width, args.in[Lstm::kWeight].as<T>(), args.in[Lstm::kBias].as<T>(), gates, h, c, n);
      store(args.out[0], r, h);
      store(args.out[Lstm::kGates], r, gates);
      store(args.out[Lstm::kCells], r, c);
    }
  }
}

template void lstm<float>(const KernelArguments&);
template void lstm<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
