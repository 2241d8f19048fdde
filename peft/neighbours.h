// Which words a prompt lies close to (Lester et al. 2021, section 7: the five nearest tokens by cosine).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/core/tensor.h"

namespace preamble {

/// What makes a word near.
enum class Closeness : std::uint8_t { cosine, dot };

/// A row of the vocabulary and its cosine (or dot product) with a row of a prompt.
struct Neighbour {
  std::int32_t id = 0;
  float cosine = 0;

  bool operator==(const Neighbour&) const = default;
};

/// For each row of `prompt` [P, D] the `count` rows of `embedding` [V, D] with the largest cosine, best first, of equal ones
/// the lower id first; fewer if the vocabulary has fewer. Rows whose norm is 0 or not finite have no direction: in the prompt
/// they get no neighbours, in the vocabulary they are nobody's. The vocabulary is read in blocks, so memory for V·P products
/// is never needed. Any floating types. With `Closeness::dot` the same by the dot product, which long rows win. Throws ShapeError for other
/// shapes, ConfigError for a count below one.
[[nodiscard]] std::vector<std::vector<Neighbour>> nearest_tokens(const Tensor& prompt, const Tensor& embedding, std::int64_t count,
                                                                 Closeness closeness = Closeness::cosine);

/// Euclidean norm of each row of a floating matrix [N, D].
[[nodiscard]] std::vector<double> row_norms(const Tensor& matrix);

}  // namespace preamble
