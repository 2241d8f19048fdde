#include <cstring>

#include "engine/graph/kernel.h"
#include "engine/ops/concat_rows.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void slice_rows(const KernelArguments& args) {
  const auto& op = static_cast<const SliceRows&>(args.op);
  const View& x = args.in[0];
  const View& y = args.out[0];
  const std::int64_t elements = op.count * x.width;
  std::memcpy(y.data, x.as<T>() + op.first * x.width, static_cast<std::size_t>(elements) * sizeof(T));
  std::memset(y.as<T>() + elements, 0, static_cast<std::size_t>(y.count() - elements) * sizeof(T));
}

template void slice_rows<float>(const KernelArguments&);
template void slice_rows<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
