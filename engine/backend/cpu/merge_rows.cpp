#include "engine/ops/merge_rows.h"

#include <algorithm>
#include <cstring>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void merge_rows(const KernelArguments& args) {
  const T* a = args.in[MergeRows::kA].as<T>();
  const T* b = args.in[MergeRows::kB].as<T>();
  const std::int32_t* index = args.in[MergeRows::kIndex].as<std::int32_t>();
  const View& y = args.out[0];
  const std::int64_t width = y.width;
  const std::int64_t grain = std::max<std::int64_t>(1, (1 << 14) / std::max<std::int64_t>(1, width));
  parallel_for(y.rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t i = index[r];
      std::memcpy(y.as<T>() + r * width, i >= 0 ? a + i * width : b + (-1 - i) * width, static_cast<std::size_t>(width) * sizeof(T));
    }
  });
}

template void merge_rows<float>(const KernelArguments&);
template void merge_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
