// Running a program: inputs and the layout of the current batch in, results out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/error.h"
#include "engine/core/rows.h"
#include "engine/runtime/anomaly.h"
#include "engine/runtime/program.h"

namespace preamble {

/// The host's side of a program that its backend's executor runs. One thread at a time. `run` allocates nothing.
class Session {
 public:
  explicit Session(std::shared_ptr<const Program> program);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() = default;

  [[nodiscard]] const Program& program() const noexcept { return *program_; }

  /// Sets the layout of a row space for the next runs. Throws ShapeError if it exceeds the capacity, with both, and for a subset.
  /// A row space that the program does not have is ignored.
  void rows(std::string_view space, const Segments& segments);
  /// Says which rows of its parent a subset holds in the next run: feeds its index, and lays each row out at the place that it has in the
  /// parent, whose layout must have been set before. Throws ShapeError for an index that exceeds the capacity, does not ascend or names
  /// a row that is not there. A row space that the program does not have is ignored.
  void select(std::string_view subset, std::span<const std::int32_t> index);

  /// Cuts the next runs' batch into parts of so many segments each: in row spaces that have as many segments as all parts together, or
  /// one for each part, the rows of a part are computed to the bit as in a run of that part alone. (A matrix product may round a row by its
  /// number among the others.) Promised by the CPU alone; other devices compute the same numbers up to rounding. Empty: one part. Throws
  /// ShapeError for a negative number.
  void parts(std::span<const std::int32_t> segments);

  /// Layout of a row space now. Throws ConfigError if the program has none of that name.
  [[nodiscard]] const RowLayout& layout(std::string_view space) const;

  /// Memory of an input, as many rows as its row space has now. Set layouts first. Throws ConfigError for an unknown name and for the index
  /// of a subset (see `select`), and DtypeError for another type. An input that passes found useless may be written all the same.
  template <class T>
  [[nodiscard]] std::span<T> input(std::string_view name) {
    const auto memory = input_memory(name, dtype_v<T>);
    return {reinterpret_cast<T*>(memory.data()), memory.size() / sizeof(T)};
  }
  /// Fills an input. Throws ShapeError if the number of values differs.
  template <class T>
  void set(std::string_view name, std::span<const T> values) {
    const auto memory = input<T>(name);
    require<ShapeError>(memory.size() == values.size(), "input '{}': {} values were given; wanted {}", name, values.size(), memory.size());
    std::copy(values.begin(), values.end(), memory.begin());
  }

  /// See `Executor::set_prologue` and `Executor::drop_captured`.
  void set_prologue(std::function<void()> enqueue) { executor_->set_prologue(std::move(enqueue)); }
  void drop_captured() { executor_->drop_captured(); }

  /// Runs all steps. Every input must be fed anew before every run: on the CPU they lie in the arena like any other value, and a run
  /// may have overwritten them. Throws ShapeError if rows of a subset are to be computed that were not selected from the present rows of
  /// its parent.
  void run();

  /// A result of the last run: valid until the next one.
  template <class T>
  [[nodiscard]] std::span<const T> result(std::string_view name) const {
    const HostView view = result_memory(name, dtype_v<T>);
    return {static_cast<const T*>(view.data), static_cast<std::size_t>(view.count)};
  }
  /// Copy of a floating result as F32 or F64 (the program's real type) with its row axis.
  [[nodiscard]] Tensor result_tensor(std::string_view name) const;
  /// The memory of a result, with its row axis at capacity, for a frozen leaf of another program of the same backend: nothing is copied. It
  /// holds what the last run has left there, and lives as long as a handle of it does. The host reads results through the functions above.
  [[nodiscard]] Tensor shared_result(std::string_view name) { return executor_->share(program_->result(name)); }

  /// As `run`, but stops at the first node that makes a number which is not finite; none if all are. For looking after a failure: every
  /// value comes to the host.
  [[nodiscard]] std::optional<Anomaly> run_until_anomaly();

 private:
  /// A block of host memory that holds a value for as many rows as its row space has now.
  struct HostView {
    const void* data;
    std::int64_t rows;  ///< 1 without a row space
    std::int64_t count;
  };
  [[nodiscard]] const Type& type_of(const Location& location) const;
  [[nodiscard]] std::int64_t rows_of(const Type& type) const;
  [[nodiscard]] std::span<std::byte> input_memory(std::string_view name, Dtype dtype);
  [[nodiscard]] HostView result_memory(std::string_view name, Dtype dtype) const;
  void apply_layouts();
  /// The first number of a value that is not finite.
  [[nodiscard]] std::optional<double> bad_number(const Location& location) const;
  [[nodiscard]] std::optional<Anomaly> anomaly_of(std::size_t step) const;

  void lay_out(RowSpaceId space, const Segments& segments);
  void require_selected() const;

  /// What the layouts point at.
  struct LayoutArrays {
    bool selected = true;  ///< false: a subset of rows that have been laid out anew
    std::vector<std::int32_t> offsets;
    std::vector<std::int32_t> positions;
  };

  std::shared_ptr<const Program> program_;
  std::unique_ptr<Executor> executor_;
  std::vector<LayoutArrays> arrays_;
  std::vector<RowLayout> layouts_;
  std::vector<std::int32_t> parts_;
  bool stale_ = true;
};

}  // namespace preamble
