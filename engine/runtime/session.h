// Running a program: an arena, the layout of the current batch, the step loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/core/error.h"
#include "engine/core/rows.h"
#include "engine/runtime/program.h"

namespace preamble {

/// One thread at a time. `run` allocates nothing.
class Session {
 public:
  explicit Session(std::shared_ptr<const Program> program);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  [[nodiscard]] const Program& program() const noexcept { return *program_; }

  /// Sets the layout of a row space for the next runs. Throws ShapeError if it exceeds the capacity, with both.
  /// A row space that the program does not have is ignored: passes may have pruned it.
  void rows(std::string_view space, const Segments& segments);

  /// Memory of an input, as many rows as its row space has now. Set layouts first. Throws ConfigError for an unknown name
  /// and DtypeError for another type. An input that passes found useless may be written all the same.
  template <class T>
  [[nodiscard]] std::span<T> input(std::string_view name) {
    const View view = input_view(name, dtype_v<T>);
    return {view.as<T>(), static_cast<std::size_t>(view.count())};
  }
  /// Fills an input. Throws ShapeError if the number of values differs.
  template <class T>
  void set(std::string_view name, std::span<const T> values) {
    const auto memory = input<T>(name);
    require<ShapeError>(memory.size() == values.size(), "input '{}': {} values were given; wanted {}", name, values.size(), memory.size());
    std::copy(values.begin(), values.end(), memory.begin());
  }

  /// Runs all steps. Every input must be fed anew before every run: inputs lie in the arena like any other value, and a run may have
  /// overwritten them.
  void run();

  /// A result of the last run: valid until the next one.
  template <class T>
  [[nodiscard]] std::span<const T> result(std::string_view name) const {
    const View view = result_view(name, dtype_v<T>);
    return {view.as<const T>(), static_cast<std::size_t>(view.count())};
  }
  /// Copy of a floating result as F32 or F64 (the program's real type) with its row axis.
  [[nodiscard]] Tensor result_tensor(std::string_view name) const;

 private:
  [[nodiscard]] View input_view(std::string_view name, Dtype dtype);
  [[nodiscard]] View result_view(std::string_view name, Dtype dtype) const;
  [[nodiscard]] View view(const Program::Slot& slot) const;
  void refresh();

  struct Layout {
    RowLayout layout;
    std::vector<std::int32_t> offsets;
    std::vector<std::int32_t> positions;
  };

  std::shared_ptr<const Program> program_;
  std::byte* arena_ = nullptr;
  std::size_t arena_bytes_ = 0;
  std::vector<Layout> layouts_;
  std::vector<std::vector<View>> in_;
  std::vector<std::vector<View>> out_;
  bool stale_ = true;
};

}  // namespace preamble
