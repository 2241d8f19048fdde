#include "engine/ops/concat_rows.h"

#include <cstring>

#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void concat_rows(const KernelArguments& args) {
  const auto& op = static_cast<const ConcatRows&>(args.op);
  T* to = args.out[0].as<T>();
  for (std::size_t i = 0; i < args.in.size(); ++i) {
    const std::int64_t elements = op.counts[i] * args.out[0].width;
    std::memcpy(to, args.in[i].data, static_cast<std::size_t>(elements) * sizeof(T));
    to += elements;
  }
}

template void concat_rows<float>(const KernelArguments&);
template void concat_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
