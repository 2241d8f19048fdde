#include "data/safetensors_writer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

using Named = std::pair<std::string, Tensor>;

/// Place of a type in the reference writer's order; higher ones come first in the file.
int rank_of(Dtype dtype) {
  constexpr std::array kAscending = {Dtype::boolean, Dtype::u8,  Dtype::i8,  Dtype::i16, Dtype::u16, Dtype::f16, Dtype::bf16,
                                     Dtype::i32,     Dtype::u32, Dtype::f32, Dtype::f64, Dtype::i64, Dtype::u64};
  return static_cast<int>(std::ranges::find(kAscending, dtype) - kAscending.begin());
}

std::vector<const Named*> in_file_order(std::span<const Named> tensors, const std::string& where) {
  std::vector<const Named*> order;
  order.reserve(tensors.size());
  for (const auto& tensor : tensors) order.push_back(&tensor);
  std::ranges::sort(order, {}, [](const Named* tensor) -> const std::string& { return tensor->first; });
  const auto twin = std::ranges::adjacent_find(order, {}, [](const Named* tensor) -> const std::string& { return tensor->first; });
  if (twin != order.end()) raise<FileError>("{}: tensor '{}' was given twice; wanted each name once", where, (*twin)->first);
  for (const auto* tensor : order) {
    require<FileError>(tensor->first != "__metadata__", "{}: a tensor named '__metadata__' was given; the name is reserved", where);
    require<FileError>(tensor->second.defined(), "{}: tensor '{}' is undefined; wanted numbers", where, tensor->first);
  }
  std::ranges::stable_sort(order, std::ranges::greater{}, [](const Named* tensor) { return rank_of(tensor->second.dtype()); });
  return order;
}

/// JSON string literal, escaped as the reference writer escapes.
std::string quoted(const std::string& text, const std::string& where) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    raise<FileError>("{}: a name or a metadata string is not valid UTF-8; wanted UTF-8", where);
  }
}

std::string header_of(std::span<const Named* const> order, const std::map<std::string, std::string>& metadata, const std::string& where) {
  std::vector<std::string> fields;
  fields.reserve(order.size() + 1);
  if (!metadata.empty()) {
    std::vector<std::string> pairs;
    pairs.reserve(metadata.size());
    for (const auto& [key, value] : metadata) pairs.push_back(quoted(key, where) + ":" + quoted(value, where));
    fields.push_back(fmt::format(R"("__metadata__":{{{}}})", fmt::join(pairs, ",")));
  }
  std::size_t position = 0;
  for (const auto* named : order) {
    const auto& [name, tensor] = *named;
    fields.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", quoted(name, where), name_of(tensor.dtype()),
                                 fmt::join(tensor.dims(), ","), position, position + tensor.bytes()));
    position += tensor.bytes();
  }
  std::string header = fmt::format("{{{}}}", fmt::join(fields, ","));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return header;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const Named> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string where = path.string();
  const auto order = in_file_order(tensors, where);
  const std::string header = header_of(order, metadata, where);
  write_atomically(path, [&](const Sink& sink) {
    const std::uint64_t header_bytes = header.size();
    sink(std::as_bytes(std::span(&header_bytes, 1)));
    sink(std::as_bytes(std::span(header)));
    for (const auto* named : order) sink({static_cast<const std::byte*>(named->second.data()), named->second.bytes()});
  });
}

}  // namespace preamble
