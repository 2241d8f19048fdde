#include "engine/ops/append_rows.h"

#include <cstring>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void append_rows(const KernelArguments& args) {
  const View& x = args.in[AppendRows::kRows];
  const auto* index = args.in[AppendRows::kIndex].as<const std::int32_t>();
  T* cache = args.out[0].as<T>();
  const std::int64_t cache_rows = args.out[0].width / x.width;
  parallel_for(x.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      if (index[r] < 0 || index[r] >= cache_rows) continue;
      std::memcpy(cache + index[r] * x.width, x.as<const T>() + r * x.width, static_cast<std::size_t>(x.width) * sizeof(T));
    }
  });
}

template void append_rows<float>(const KernelArguments&);
template void append_rows<double>(const KernelArguments&);
template void append_rows<BFloat16>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
