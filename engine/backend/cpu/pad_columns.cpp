#include "engine/backend/cpu/columns.h"
#include "engine/core/parallel.h"
#include "engine/ops/columns.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void pad_columns(const KernelArguments& args) {
  const auto& op = static_cast<const PadColumns&>(args.op);
  const Matrix x = matrix_of(args.in[0]);
  T* y = args.out[0].as<T>();
  parallel_for(x.rows, 32, [&](std::int64_t begin, std::int64_t end) {
    std::memset(y + begin * op.width, 0, static_cast<std::size_t>((end - begin) * op.width) * sizeof(T));
    copy_columns(args.in[0].as<T>(), x.columns, y + op.first, op.width, x.columns, begin, end);
  });
}

template void pad_columns<float>(const KernelArguments&);
template void pad_columns<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
