// The part of Python's pickle format that a state dict of torch needs. Nothing is ever called or imported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

/// A value that a pickle built. Values refer to each other by index, so shared and cyclic ones cost nothing.
struct PickleValue {
  enum class Kind : std::uint8_t {
    none,
    boolean,       // integer: 0 or 1
    integer,       // integer
    real,          // a number that training scripts keep beside the weights; its value is not read
    text,          // text
    tuple,         // items
    list,          // items
    dict,          // items: key, value, key, value, ... as set, doubled keys included
    function,      // one of the permitted callables; integer: which
    storage_type,  // torch.FloatStorage and its siblings; integer: the Dtype
    storage,       // items: the persistent id
    tensor         // items: storage, offset, sizes, strides
  };

  Kind kind = Kind::none;
  std::int64_t integer = 0;
  std::string_view text;
  std::vector<std::uint32_t> items;
};

/// What `kind` is called in messages: `a dict`, `an integer`, ...
[[nodiscard]] std::string_view name_of(PickleValue::Kind kind) noexcept;

/// One pickle, read by a machine that knows only: constants, text, numbers, tuples, lists, dicts, the memo,
/// persistent ids, `collections.OrderedDict()`, the storage types of torch, and `torch._utils._rebuild_tensor`,
/// `_rebuild_tensor_v2` and `_rebuild_parameter`, which are recorded, not run.
class Pickle {
 public:
  /// Reads the pickle that begins at the first byte; texts of the values point into `bytes`. Any other opcode or name
  /// and whatever does not add up throws FileError that begins with `where` and names it. At most 32 MiB and 2^21
  /// values are read (a state dict takes about 150 bytes and 20 values for each tensor).
  [[nodiscard]] static Pickle read(std::span<const std::byte> bytes, const std::string& where);

  [[nodiscard]] const PickleValue& root() const noexcept { return values_[root_]; }
  /// Item `index` of a value.
  [[nodiscard]] const PickleValue& item(const PickleValue& value, std::size_t index) const { return values_[value.items.at(index)]; }
  /// All values that were built, whether the root holds them or not.
  [[nodiscard]] std::span<const PickleValue> values() const noexcept { return values_; }
  /// Bytes up to and including the last opcode.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  friend class PickleMachine;
  std::vector<PickleValue> values_;
  std::uint32_t root_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace preamble
