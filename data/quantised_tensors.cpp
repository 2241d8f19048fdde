#include "data/quantised_tensors.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/stored_matrix.h"

namespace preamble {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct Description {
  Dtype dtype;
  Dims dims;
};

/// Throws what nlohmann::json or `dtype_of` throw.
Description described(const OrderedJson& json) {
  Description d{dtype_of(json.at(0).get<std::string>()), {json.at(1).get<std::int64_t>(), json.at(2).get<std::int64_t>()}};
  constexpr std::int64_t kMost = 1LL << 31;
  require<DtypeError>(is_quantised(d.dtype) && std::ranges::all_of(d.dims, [](auto dim) { return dim >= 0 && dim < kMost; }),
                      "wanted a quantised type and two dimensions");
  (void)StoredMatrix::of(d.dtype, d.dims[0], d.dims[1], nullptr);
  return d;
}

}  // namespace

void find_quantised(std::vector<TensorRecord>& records, const std::map<std::string, std::string>& metadata, const std::string& where) {
  const auto entry = metadata.find(kQuantisedKey);
  if (entry == metadata.end()) return;
  const OrderedJson json = OrderedJson::parse(entry->second, nullptr, false);
  require<FileError>(json.is_object(), "{}: the metadata '{}' are no JSON object", where, kQuantisedKey);
  for (const auto& [name, value] : json.items()) {
    const auto record = std::ranges::find(records, name, &TensorRecord::name);
    require<FileError>(record != records.end(), "{}: the metadata '{}' name a tensor '{}' that is not there", where, kQuantisedKey, name);
    Description d;
    try {
      d = described(value);
    } catch (const std::exception& error) {
      raise<FileError>("{}: the metadata '{}' say {} of '{}': {}", where, kQuantisedKey, value.dump(), name, error.what());
    }
    const std::int64_t bytes = bytes_of(d.dtype, d.dims);
    require<FileError>(record->dtype == Dtype::u8 && record->dims == Dims{bytes}, "{}: tensor '{}' is {} {}; {} {} wants U8 [{}]", where,
                       name, record->dtype_name, to_string(record->dims), name_of(d.dtype), to_string(d.dims), bytes);
    record->dtype = d.dtype;
    record->dtype_name = name_of(d.dtype);
    record->dims = d.dims;
  }
}

void store_quantised(std::vector<std::pair<std::string, Tensor>>& tensors, std::map<std::string, std::string>& metadata) {
  OrderedJson json = OrderedJson::object();
  for (auto& [name, tensor] : tensors) {
    if (!is_quantised(tensor.dtype())) continue;
    json[name] = {name_of(tensor.dtype()), tensor.dim(0), tensor.dim(1)};
    // the new handle keeps the memory
    tensor = Tensor(Dtype::u8, {static_cast<std::int64_t>(tensor.bytes())}, tensor.owner().lock(), tensor.data());
  }
  if (!json.empty()) metadata[kQuantisedKey] = json.dump();
}

}  // namespace preamble
