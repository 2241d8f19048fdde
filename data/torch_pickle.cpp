#include "data/torch_pickle.h"

#include <array>
#include <unordered_set>
#include <utility>

#include "engine/core/error.h"

namespace preamble {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMostAxes = 64;  // as in torch

/// A storage, or the part of one that a view of the old form covers.
struct View {
  TorchStorage storage;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

class StateDict {
 public:
  StateDict(const Pickle& pickle, const std::string& where) : pickle_(pickle), where_(where) {}

  /// Type and key of a persistent id, whatever it belongs to.
  [[nodiscard]] std::pair<std::string_view, Dtype> storage(const PickleValue& id) const {
    const TorchStorage storage = view(id).storage;
    return {storage.key, storage.dtype};
  }

  [[nodiscard]] std::vector<TorchTensor> tensors() {
    const auto& root = state_dict();
    std::vector<TorchTensor> tensors;
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < root.items.size(); i += 2) {
      const auto& name = pickle_.item(root, i);
      require<FileError>(name.kind == Kind::text, "{}: a key of the state dict is {}; wanted a text", where_, name_of(name.kind));
      name_ = name.text;
      // before anything is copied: a pickle may repeat one long key at two bytes a time
      require<FileError>(seen.insert(name_).second, "{}: tensor '{}' is there twice; wanted each name once", where_, name_);
      tensors.push_back(tensor(pickle_.item(root, i + 1)));
    }
    return tensors;
  }

 private:
  /// The dict of tensors: the root, or what the root holds under one of the usual keys.
  [[nodiscard]] const PickleValue& state_dict() const {
    constexpr std::array<std::string_view, 4> kWrapped = {"state_dict", "model_state_dict", "model", "module"};
    const auto& root = pickle_.root();
    require<FileError>(root.kind == Kind::dict, "{}: holds {}; wanted a state dict", where_, name_of(root.kind));
    for (const auto key : kWrapped) {
      for (std::size_t i = 0; i < root.items.size(); i += 2) {
        const auto& value = pickle_.item(root, i + 1);
        if (value.kind == Kind::dict && pickle_.item(root, i).text == key) return value;
      }
    }
    return root;
  }

  [[nodiscard]] const PickleValue& expect(const PickleValue& value, Kind kind, std::string_view what) const {
    require<FileError>(value.kind == kind, "{}: '{}': {} is {}; wanted {}", where_, name_, what, name_of(value.kind), name_of(kind));
    return value;
  }

  /// An integer, not below zero.
  [[nodiscard]] std::int64_t whole(const PickleValue& value, std::string_view what) const {
    const auto number = expect(value, Kind::integer, what).integer;
    require<FileError>(number >= 0, "{}: '{}': {} is {}; wanted none below zero", where_, name_, what, number);
    return number;
  }

  [[nodiscard]] Dims wholes(const PickleValue& tuple, std::string_view what) const {
    require<FileError>(tuple.items.size() <= kMostAxes, "{}: '{}': {} has {} axes; wanted at most {}", where_, name_, what,
                       tuple.items.size(), kMostAxes);
    Dims result;
    for (std::size_t i = 0; i < tuple.items.size(); ++i) result.push_back(whole(pickle_.item(tuple, i), what));
    return result;
  }

  /// From ('storage', type, key, location, count) or, in the old form, the same with None or (view key, first, count).
  [[nodiscard]] View view(const PickleValue& id) const {
    const auto& tag = expect(pickle_.item(id, 0), Kind::text, "its storage tag");
    require<FileError>(tag.text == "storage", "{}: '{}': its persistent id is no storage; wanted one", where_, name_);
    View result;
    result.storage.dtype = static_cast<Dtype>(expect(pickle_.item(id, 1), Kind::storage_type, "its storage type").integer);
    result.storage.key = expect(pickle_.item(id, 2), Kind::text, "its storage key").text;
    result.storage.count = whole(pickle_.item(id, 4), "its storage size");
    result.count = result.storage.count;
    if (id.items.size() < 6 || pickle_.item(id, 5).kind == Kind::none) return result;
    const auto& part = expect(pickle_.item(id, 5), Kind::tuple, "its storage view");
    require<FileError>(part.items.size() == 3, "{}: '{}': its storage view has {} items; wanted 3", where_, name_, part.items.size());
    result.first = whole(pickle_.item(part, 1), "its storage view");
    result.count = whole(pickle_.item(part, 2), "its storage view");
    require<FileError>(result.first <= result.storage.count && result.count <= result.storage.count - result.first,
                       "{}: '{}': its storage view is [{}, {} more); the storage has {} elements", where_, name_, result.first,
                       result.count, result.storage.count);
    return result;
  }

  [[nodiscard]] TorchTensor tensor(const PickleValue& given) const {
    const auto& value = expect(given, Kind::tensor, "it");
    const View part = view(pickle_.item(value, 0));
    TorchTensor result;
    result.name = name_;
    result.storage = part.storage;
    const std::int64_t offset = whole(pickle_.item(value, 1), "its offset");
    result.dims = wholes(pickle_.item(value, 2), "its size");
    result.strides = wholes(pickle_.item(value, 3), "its stride");
    require<FileError>(result.dims.size() == result.strides.size(), "{}: '{}': {} dimensions and {} strides; wanted as many", where_, name_,
                       result.dims.size(), result.strides.size());
    check_inside(result, offset, part.count);
    result.offset = part.first + offset;
    if (is_contiguous(result)) result.strides.clear();
    return result;
  }

  void check_inside(const TorchTensor& tensor, std::int64_t offset, std::int64_t available) const {
    std::int64_t count = 1;
    std::int64_t last = offset;
    bool fits = true;
    bool empty = false;
    for (const auto dim : tensor.dims) {
      fits = fits && !__builtin_mul_overflow(count, dim, &count);
      empty = empty || dim == 0;
    }
    for (std::size_t axis = 0; axis < tensor.dims.size() && fits && !empty; ++axis) {
      std::int64_t reach = 0;
      fits = !__builtin_mul_overflow(tensor.dims[axis] - 1, tensor.strides[axis], &reach) && !__builtin_add_overflow(last, reach, &last);
    }
    fits = fits && (empty ? offset <= available : last < available);
    require<FileError>(fits, "{}: '{}': size {} with strides {} from element {} on; its storage has {}", where_, name_,
                       to_string(tensor.dims), to_string(tensor.strides), offset, available);
    require<FileError>(count <= available, "{}: '{}': size {} out of a storage of {} elements; wanted each element once", where_, name_,
                       to_string(tensor.dims), available);
  }

  [[nodiscard]] static bool is_contiguous(const TorchTensor& tensor) {
    if (count_of(tensor.dims) == 0) return true;
    std::int64_t step = 1;
    for (std::size_t axis = tensor.dims.size(); axis-- > 0;) {
      if (tensor.dims[axis] != 1 && tensor.strides[axis] != step) return false;
      step *= tensor.dims[axis];
    }
    return true;
  }

  const Pickle& pickle_;
  const std::string& where_;
  std::string_view name_;
};

}  // namespace

std::vector<TorchTensor> tensors_of(const Pickle& pickle, const std::string& where) { return StateDict(pickle, where).tensors(); }

std::map<std::string_view, Dtype> storages_of(const Pickle& pickle, const std::string& where) {
  const StateDict state(pickle, where);
  std::map<std::string_view, Dtype> types;
  for (const auto& value : pickle.values()) {
    if (value.kind == Kind::storage) types.insert(state.storage(value));
  }
  return types;
}

}  // namespace preamble
