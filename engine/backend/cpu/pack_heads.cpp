#include <cstring>

#include "engine/core/parallel.h"
#include "engine/graph/kernel.h"
#include "engine/graph/type.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void pack_heads(const KernelArguments& args) {
  const Dims& dims = *args.in[0].dims;
  const std::int64_t heads = dims[0] * dims[1], positions = dims[2], dim = dims[3];
  parallel_for(positions, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      for (std::int64_t h = 0; h < heads; ++h) {
        std::memcpy(args.out[0].as<T>() + (p * heads + h) * dim, args.in[0].as<T>() + (h * positions + p) * dim,
                    static_cast<std::size_t>(dim) * sizeof(T));
      }
    }
  });
}

template void pack_heads<float>(const KernelArguments&);
template void pack_heads<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
