#include "engine/backend/cpu/columns.h"
#include "engine/core/parallel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void concat_columns(const KernelArguments& args) {
  const Matrix y = matrix_of(args.out[0]);
  parallel_for(y.rows, 32, [&](std::int64_t begin, std::int64_t end) {
    T* to = args.out[0].as<T>();
    for (const View& x : args.in) {
      const std::int64_t columns = matrix_of(x).columns;
      copy_columns(x.as<T>(), columns, to, y.columns, columns, begin, end);
      to += columns;
    }
  });
}

template void concat_columns<float>(const KernelArguments&);
template void concat_columns<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
