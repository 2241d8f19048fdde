// Which of OpenBLAS's kernels run.
#pragma once

namespace preamble::cpu {

/// OpenBLAS chooses its kernels when it is loaded, by models of processors that it knows: for one that is younger than itself it takes those of a
/// Pentium 4, which are several times slower. This lets it choose again, kernels for AVX-512 or AVX2 as far as the processor has them; not where
/// the user has set OPENBLAS_CORETYPE, nor where it chose well, nor where OpenBLAS was built for one processor alone. Sums depend on how many
/// columns are multiplied at a time with kernels for AVX2 and older ones, not with those for AVX-512. Runs before `main`; further calls change
/// nothing.
void choose_blas_kernels();

}  // namespace preamble::cpu
