// Central differences in double against the gradients that the engine builds.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/compile.h"
#include "engine/core/rows.h"
#include "engine/graph/graph.h"
#include "engine/runtime/session.h"

namespace preamble::testing {

/// An operand of the op under test.
struct Operand {
  std::string name;
  Tensor values;                ///< F64 or I32; with a row space the leading axis is its rows (as many as the layout has)
  std::string space = {};       ///< empty: no row space
  bool differentiable = true;   ///< I32 operands never are
};

/// An op applied to operands. `build` returns the value under test (any shape, floating).
struct GradientCase {
  std::vector<std::pair<std::string, Segments>> spaces;
  std::vector<Operand> operands;
  std::function<Value(Graph&, const std::vector<Value>&)> build;
  /// Capacity of the row spaces above what the layout uses.
  std::int64_t spare_rows = 3;
};

/// The value under test, computed with activations of type `real` (operands are converted). Fusion as given.
[[nodiscard]] Tensor evaluate(const GradientCase& test, Dtype real = Dtype::f64, bool fuse = true);

/// Every result of a program of the case's own making, whose inputs are the operands that are whole numbers, by name.
[[nodiscard]] std::map<std::string, std::vector<double>> run_case(Session& session, const GradientCase& test);

/// Random F64 tensor, uniform in [-1, 1], the same for the same seed.
[[nodiscard]] Tensor random_tensor(Dims dims, std::uint64_t seed);

/// For every non-empty subset of the differentiable operands: declares these trainable and the others frozen (or input),
/// contracts the value with an uneven fixed direction, and compares every element of every gradient with a central
/// difference. Also asserts that frozen operands get no gradient, and that results agree with and without `min` budget.
/// Differences above `tolerance`, relative to the largest gradient element, fail.
void check_gradients(const GradientCase& test, double tolerance = 1e-6);

/// Names of forward values (`op#output`) that the backward pass reads when the named operands are trainable.
[[nodiscard]] std::vector<std::string> kept_values(const GradientCase& test, const std::vector<std::string>& trainable);

}  // namespace preamble::testing
