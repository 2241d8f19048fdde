#include "engine/ops/pick_rows.h"

#include "engine/backend/cpu/stored_part.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void pick_rows(const KernelArguments& args) {
  const auto& rows = static_cast<const PickRows&>(args.op).rows;
  const StoredMatrix table = stored(args.in[0]);
  const std::int64_t width = args.out[0].width / static_cast<std::int64_t>(rows.size());
  T* y = args.out[0].as<T>();
  for (const std::int64_t row : rows) {
    decode_row(table, row, 0, width, y);
    y += width;
  }
}

template void pick_rows<float>(const KernelArguments&);
template void pick_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
