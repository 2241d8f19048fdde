#include "engine/backend/cpu/columns.h"
#include "engine/core/parallel.h"
#include "engine/ops/columns.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void slice_columns(const KernelArguments& args) {
  const auto& op = static_cast<const SliceColumns&>(args.op);
  const Matrix x = matrix_of(args.in[0]);
  const T* from = args.in[0].as<T>() + op.first;
  parallel_for(x.rows, 32, [&](std::int64_t begin, std::int64_t end) {
    copy_columns(from, x.columns, args.out[0].as<T>(), op.count, op.count, begin, end);
  });
}

template void slice_columns<float>(const KernelArguments&);
template void slice_columns<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
