#include "engine/backend/cpu/gemm.h"
#include "engine/graph/kernel.h"

namespace preamble::PREAMBLE_ISA {

template <class T>
void outer_sum(const KernelArguments& args) {
  const View& a = args.in[0];
  const View& b = args.in[1];
  cpu::Gemm<T> p;
  p.m = a.width, p.n = b.width, p.k = a.rows;
  p.a = a.as<T>(), p.lda = a.width, p.transpose_a = true;
  p.b = b.as<T>(), p.ldb = b.width;
  p.c = args.out[0].as<T>(), p.ldc = b.width;
  cpu::parallel_gemm(p);
}

template void outer_sum<float>(const KernelArguments&);
template void outer_sum<double>(const KernelArguments&);

}  // namespace preamble::PREAMBLE_ISA
