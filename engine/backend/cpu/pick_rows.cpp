#include "engine/ops/pick_rows.h"

#include <cstring>

#include "engine/backend/cpu/math.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void pick_rows(const KernelArguments& args) {
  const auto& rows = static_cast<const PickRows&>(args.op).rows;
  const View& table = args.in[0];
  const std::int64_t width = args.out[0].width / static_cast<std::int64_t>(rows.size());
  T* y = args.out[0].as<T>();
  for (const std::int64_t row : rows) {
    if (table.dtype == Dtype::bf16) {
      widen_row(table.as<BFloat16>() + row * width, y, width);
    } else {
      std::memcpy(y, table.as<T>() + row * width, static_cast<std::size_t>(width) * sizeof(T));
    }
    y += width;
  }
}

template void pick_rows<float>(const KernelArguments&);
template void pick_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
