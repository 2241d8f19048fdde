// What the machine's dot products of bf16 numbers can do at this moment.
#pragma once

#include <string_view>

namespace preamble::bench {

/// Operations per second of `threads` threads that run independent dot products of bf16 numbers in registers, by the instructions of the
/// engine of this name (`Bf16Engine::name`): `amx_bf16`, `avx512_bf16`. Numbers at random: zeros take less power, and run faster than any product. 0
/// for another name. Takes about `seconds`.
[[nodiscard]] double bf16_peak(std::string_view engine, int threads, double seconds);

}  // namespace preamble::bench
