#include "engine/graph/kernel.h"
#include "engine/ops/elementwise.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void constant(const KernelArguments& args) {
  *args.out[0].as<T>() = static_cast<T>(static_cast<const Constant&>(args.op).value);
}

template void constant<float>(const KernelArguments&);
template void constant<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
