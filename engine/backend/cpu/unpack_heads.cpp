#include <cstring>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/graph/type.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void unpack_heads(const KernelArguments& args) {
  const Dims& dims = *args.out[0].dims;
  const std::int64_t heads = dims[0] * dims[1], positions = dims[2], dim = dims[3];
  parallel_for(heads, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t h = begin; h < end; ++h) {
      for (std::int64_t p = 0; p < positions; ++p) {
        std::memcpy(args.out[0].as<T>() + (h * positions + p) * dim, args.in[0].as<T>() + (p * heads + h) * dim,
                    static_cast<std::size_t>(dim) * sizeof(T));
      }
    }
  });
}

template void unpack_heads<float>(const KernelArguments&);
template void unpack_heads<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
