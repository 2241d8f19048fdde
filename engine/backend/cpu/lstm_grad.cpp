#include <algorithm>

#include "engine/backend/cpu/math.h"
#include "engine/backend/cpu/small_product.h"
#include "engine/graph/kernel.h"
#include "engine/ops/lstm.h"

namespace preamble::PREAMBLE_ISA {
namespace {

/// What the gradient of one row reads, and where it goes. `c_before` is null at the start of a segment.
template <class T>
struct Row {
  const T* dy;
  const T* gates;
  const T* c;
  const T* c_before;
  T* dz;
};

/// dh [H]: the share of the row behind, dc [H] likewise; both leave as the shares for the row before.
template <class T>
void lstm_row_grad(const Row<T>& row, const T* w, T* dh, T* dc, std::int64_t n) noexcept {
  const T* i = row.gates;
  const T* f = row.gates + n;
  const T* g = row.gates + 2 * n;
  const T* o = row.gates + 3 * n;
  for (std::int64_t j = 0; j < n; ++j) {
    const T dhj = row.dy[j] + dh[j];
    const T tanh_c = tanh_of(row.c[j]);
    const T dcj = dhj * o[j] * (1 - tanh_c * tanh_c) + dc[j];
    row.dz[j] = dcj * g[j] * i[j] * (1 - i[j]);
    row.dz[n + j] = row.c_before == nullptr ? T(0) : dcj * row.c_before[j] * f[j] * (1 - f[j]);
    row.dz[2 * n + j] = dcj * i[j] * (1 - g[j] * g[j]);
    row.dz[3 * n + j] = dhj * tanh_c * o[j] * (1 - o[j]);
    dc[j] = dcj * f[j];
  }
  std::fill_n(dh, n, T(0));
  for (std::int64_t k = 0; k < 4 * n; ++k) add_scaled(row.dz[k], w + k * n, dh, n);
}

}  // namespace

template <class T>
void lstm_grad(const KernelArguments& args) {
  const View& h = args.in[LstmGrad::kHidden];
  const std::int64_t n = h.width;
  const bool reversed = static_cast<const LstmGrad&>(args.op).reversed;
  T* dh = reinterpret_cast<T*>(args.workspace);
  T* dc = dh + n;
  T* unread = dc + n;
  const RowLayout& layout = *h.layout;
  const T* cells = args.in[LstmGrad::kCells].as<T>();
  T* dw = args.out[1].as<T>();
  if (dw != nullptr) std::fill_n(dw, 4 * n * n, T(0));
  for (std::int32_t s = 0; s < layout.segments; ++s) {
    std::fill_n(dh, 2 * n, T(0));
    for (std::int32_t t = layout.length(s) - 1; t >= 0; --t) {
      const std::int64_t r = reversed ? layout.offsets[s + 1] - 1 - t : layout.offsets[s] + t;
      const std::int64_t before = reversed ? r + 1 : r - 1;
      T* dz = args.out[0] ? args.out[0].as<T>() + r * 4 * n : unread;
      const Row<T> row{args.in[LstmGrad::kGradient].as<T>() + r * n, args.in[LstmGrad::kGates].as<T>() + r * 4 * n, cells + r * n,
                       t == 0 ? nullptr : cells + before * n, dz};
      lstm_row_grad(row, args.in[LstmGrad::kWeight].as<T>(), dh, dc, n);
      if (dw == nullptr || t == 0) continue;
      for (std::int64_t k = 0; k < 4 * n; ++k) add_scaled(dz[k], h.as<T>() + before * n, dw + k * n, n);
    }
  }
}

template void lstm_grad<float>(const KernelArguments&);
template void lstm_grad<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
