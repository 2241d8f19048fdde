#include "data/torch_bin.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/byte_reader.h"
#include "data/pickle.h"
#include "data/torch_pickle.h"
#include "data/zip_directory.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

using Bytes = std::span<const std::byte>;
using Kind = PickleValue::Kind;

/// Bytes of each storage by its key.
using Storages = std::map<std::string_view, Bytes>;

/// How a file of the old form begins: a pickle (any protocol) of the number 0x1950a86a20f9469cfc6c.
constexpr std::array<std::uint8_t, 13> kMagic = {0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, '.'};
constexpr std::size_t kMagicAt = 2;

bool is_old_form(Bytes bytes) {
  return bytes.size() >= kMagicAt + kMagic.size() && bytes[0] == std::byte{0x80} &&
         std::equal(kMagic.begin(), kMagic.end(), bytes.begin() + kMagicAt,
                    [](std::uint8_t wanted, std::byte given) { return given == std::byte{wanted}; });
}

std::vector<TensorRecord> records_of(std::vector<TorchTensor> tensors, const Storages& storages, const std::string& where) {
  std::vector<TensorRecord> records;
  records.reserve(tensors.size());
  for (auto& tensor : tensors) {
    const auto& [key, dtype, count] = tensor.storage;
    const auto found = storages.find(key);
    require<FileError>(found != storages.end(), "{}: '{}' lies in storage '{}'; the file has none of that name", where, tensor.name, key);
    const std::size_t held = found->second.size();
    require<FileError>(held % size_of(dtype) == 0 && held / size_of(dtype) == static_cast<std::size_t>(count),
                       "{}: '{}' wants {} elements of {} in storage '{}'; it has {} bytes", where, tensor.name, count, name_of(dtype), key,
                       held);
    records.push_back({.name = std::move(tensor.name),
                       .dtype_name = name_of(dtype),
                       .dtype = dtype,
                       .dims = std::move(tensor.dims),
                       .strides = std::move(tensor.strides),
                       .data = found->second.data() + static_cast<std::size_t>(tensor.offset) * size_of(dtype)});
  }
  return records;
}

/// The zip form: PREFIX/data.pkl, PREFIX/data/KEY for each storage, and PREFIX/byteorder since torch 2.1.
std::vector<TensorRecord> read_zip_form(Bytes bytes, const std::string& where) {
  constexpr std::string_view kPickle = "/data.pkl";
  const auto entries = zip_entries(bytes, where);
  const auto is_pickle = [&](const ZipEntry& entry) { return entry.name.ends_with(kPickle); };
  const auto pickle = std::ranges::find_if(entries, is_pickle);
  require<FileError>(std::ranges::count_if(entries, is_pickle) == 1,
                     "{}: a zip archive with {} entries '.../data.pkl'; wanted one, as torch.save writes", where,
                     std::ranges::count_if(entries, is_pickle));
  const std::string prefix(pickle->name.substr(0, pickle->name.size() - kPickle.size()));
  const std::string data = prefix + "/data/";
  Storages storages;
  for (const auto& [name, contents] : entries) {
    if (name.starts_with(data)) storages.emplace(name.substr(data.size()), contents);
    require<FileError>(name != prefix + "/constants.pkl", "{}: a TorchScript archive; wanted a state dict", where);
    if (name == prefix + "/byteorder") {
      const auto order = ByteReader(contents, where).text(contents.size());
      require<FileError>(order == "little", "{}: its byte order is '{}'; wanted 'little'", where, order);
    }
  }
  return records_of(tensors_of(Pickle::read(pickle->bytes, where), where), storages, where);
}

/// The storages at the end of the old form: for each key, in the order of the list, the number of elements and the elements.
Storages read_old_storages(ByteReader reader, std::size_t file_bytes, const Pickle& keys, const std::map<std::string_view, Dtype>& dtypes) {
  require<FileError>(keys.root().kind == Kind::list, "{}: its storage keys are {}; wanted a list", reader.where(),
                     name_of(keys.root().kind));
  Storages storages;
  for (std::size_t i = 0; i < keys.root().items.size(); ++i) {
    const auto& key = keys.item(keys.root(), i);
    const auto dtype = dtypes.find(key.text);
    require<FileError>(key.kind == Kind::text && dtype != dtypes.end(),
                       "{}: storage '{}' belongs to no tensor; wanted only storages of tensors", reader.where(), key.text);
    const auto count = reader.read<std::uint64_t>();
    const std::size_t element_bytes = size_of(dtype->second);
    require<FileError>(count <= (file_bytes - reader.position()) / element_bytes,
                       "{}: storage '{}' claims {} elements of {}; {} bytes are left", reader.where(), key.text, count,
                       name_of(dtype->second), file_bytes - reader.position());
    const bool fresh = storages.emplace(key.text, reader.take(count * element_bytes)).second;
    require<FileError>(fresh, "{}: storage '{}' is there twice; wanted each key once", reader.where(), key.text);
  }
  require<FileError>(reader.position() == file_bytes, "{}: its storages end at byte {}; the file has {}", reader.where(), reader.position(),
                     file_bytes);
  return storages;
}

/// The old form: pickles of the magic number, the protocol, the machine, the state dict and the storage keys; then the
/// storages.
std::vector<TensorRecord> read_old_form(Bytes bytes, const std::string& where) {
  constexpr std::int64_t kProtocol = 1001;
  std::size_t position = kMagicAt + kMagic.size();
  const auto next = [&] {
    auto pickle = Pickle::read(bytes.subspan(position), where);
    position += pickle.bytes();
    return pickle;
  };
  const Pickle protocol = next();
  require<FileError>(protocol.root().kind == Kind::integer && protocol.root().integer == kProtocol,
                     "{}: another protocol than torch's {}; wanted that", where, kProtocol);
  const Pickle machine = next();
  for (std::size_t i = 0; i + 1 < machine.root().items.size(); i += 2) {
    const auto& value = machine.item(machine.root(), i + 1);
    require<FileError>(machine.item(machine.root(), i).text != "little_endian" || value.integer == 1,
                       "{}: its byte order is big-endian; wanted little-endian", where);
  }
  const Pickle state = next();
  const Pickle keys = next();
  auto tensors = tensors_of(state, where);
  const auto storages = read_old_storages(ByteReader(bytes, where, position), bytes.size(), keys, storages_of(state, where));
  return records_of(std::move(tensors), storages, where);
}

}  // namespace

TorchBin TorchBin::open(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  const std::string where = path.string();
  const auto bytes = file->bytes();
  if (is_zip(bytes)) return {std::move(file), read_zip_form(bytes, where)};
  require<FileError>(is_old_form(bytes), "{}: neither a zip archive nor the older form of torch.save; wanted a file of torch.save", where);
  return {std::move(file), read_old_form(bytes, where)};
}

}  // namespace preamble
