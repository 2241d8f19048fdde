// A part of a matrix.
// Compiled once for each instruction set: included by kernels alone.
#pragma once

#include <cstdint>

namespace preamble::PREAMBLE_ISA {

/// Some columns of some rows: where the first element lies, and from row to row how many elements there are.
template <class T>
struct Block {
  T* data = nullptr;
  std::int64_t stride = 0;
};

}  // namespace preamble::PREAMBLE_ISA
