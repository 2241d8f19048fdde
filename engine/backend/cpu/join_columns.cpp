#include <algorithm>

#include "engine/backend/cpu/columns.h"
#include "engine/core/parallel.h"
#include "engine/ops/split_columns.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void join_columns(const KernelArguments& args) {
  const auto& op = static_cast<const JoinColumns&>(args.op);
  const auto& widths = op.widths;
  const Matrix y = matrix_of(args.out[0]).in_parts(op.groups);
  parallel_for(y.rows, 32, [&](std::int64_t begin, std::int64_t end) {
    T* to = args.out[0].as<T>();
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (i < args.in.size() && args.in[i]) {
        copy_columns(args.in[i].as<T>(), widths[i], to, y.columns, widths[i], begin, end);
      } else {
        for (std::int64_t r = begin; r < end; ++r) std::fill_n(to + r * y.columns, widths[i], T(0));
      }
      to += widths[i];
    }
  });
}

template void join_columns<float>(const KernelArguments&);
template void join_columns<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
