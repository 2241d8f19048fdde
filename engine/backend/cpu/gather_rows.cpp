#include "engine/ops/gather_rows.h"

#include <algorithm>
#include <cstring>

#include "engine/backend/cpu/stored_part.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void gather_rows(const KernelArguments& args) {
  const View& table = args.in[GatherRows::kTable];
  const std::int32_t* index = args.in[GatherRows::kIndex].as<std::int32_t>();
  const View& y = args.out[0];
  const std::int64_t width = y.width;
  const std::int64_t bytes = width * static_cast<std::int64_t>(size_of(y.dtype));
  const bool converts = table.dtype != y.dtype;
  const StoredMatrix rows = converts ? stored(table) : StoredMatrix{};
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, width));
  parallel_for(y.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (converts) {
        decode_row(rows, index[r], 0, width, y.as<T>() + r * width);
      } else {
        std::memcpy(y.as<std::byte>() + r * bytes, table.as<std::byte>() + index[r] * bytes, static_cast<std::size_t>(bytes));
      }
    }
  });
}

template void gather_rows<float>(const KernelArguments&);
template void gather_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
