#include <cstring>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/ops/pick_rows.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void put_rows(const KernelArguments& args) {
  const auto& rows = static_cast<const PutRows&>(args.op).rows;
  const View& table = args.out[0];
  const std::int64_t width = args.in[0].width / static_cast<std::int64_t>(rows.size());
  T* out = table.as<T>();
  parallel_for(table.width, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    std::memset(out + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(T));
  });
  const T* y = args.in[0].as<T>();
  for (const std::int64_t row : rows) {
    std::memcpy(out + row * width, y, static_cast<std::size_t>(width) * sizeof(T));
    y += width;
  }
}

template void put_rows<float>(const KernelArguments&);
template void put_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
