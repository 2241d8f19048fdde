#include "engine/ops/split_columns.h"

#include "engine/backend/cpu/columns.h"
#include "engine/core/parallel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void split_columns(const KernelArguments& args) {
  const auto& op = static_cast<const SplitColumns&>(args.op);
  const auto& widths = op.widths;
  const Matrix x = matrix_of(args.in[0]).in_parts(op.groups);
  parallel_for(x.rows, 32, [&](std::int64_t begin, std::int64_t end) {
    const T* from = args.in[0].as<T>();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (args.out[i]) copy_columns(from, x.columns, args.out[i].as<T>(), widths[i], widths[i], begin, end);
      from += widths[i];
    }
  });
}

template void split_columns<float>(const KernelArguments&);
template void split_columns<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
