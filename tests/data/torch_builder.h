// Builds the bytes of torch's files piece by piece, right or wrong ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/core/tensor.h"

namespace preamble::testing {

/// `value` in `sizeof(T)` little-endian bytes.
template <class T>
[[nodiscard]] std::string little(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Pickle opcodes, protocol 2.
namespace pickled {

[[nodiscard]] inline std::string text(std::string_view value) {
  return "X" + little(static_cast<std::uint32_t>(value.size())) + std::string(value);
}
[[nodiscard]] inline std::string integer(std::int64_t value) { return "\x8A\x08" + little(value); }
[[nodiscard]] inline std::string integers(const Dims& values) {
  std::string result = "(";
  for (const auto value : values) result += integer(value);
  return result + "t";
}
[[nodiscard]] inline std::string name(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
/// ('storage', TYPE, key, 'cpu', count) as a persistent id; `view` is the sixth item of the old form.
[[nodiscard]] inline std::string storage(std::string_view type, std::string_view key, std::int64_t count, std::string_view view = "") {
  return "(" + text("storage") + name("torch", type) + text(key) + text("cpu") + integer(count) + std::string(view) + "tQ";
}
[[nodiscard]] inline std::string tensor(const std::string& storage, std::int64_t offset, const Dims& dims, const Dims& strides) {
  return name("torch._utils", "_rebuild_tensor_v2") + "(" + storage + integer(offset) + integers(dims) + integers(strides) + "\x89" +
         name("collections", "OrderedDict") + ")RtR";
}
[[nodiscard]] inline std::string parameter(const std::string& tensor) {
  return name("torch._utils", "_rebuild_parameter") + tensor + "\x88" + name("collections", "OrderedDict") + ")R\x87R";
}
/// A whole pickle of one value.
[[nodiscard]] inline std::string whole(const std::string& value) { return "\x80\x02" + value + "."; }
/// A whole pickle of a dict with text keys.
[[nodiscard]] inline std::string state_dict(const std::vector<std::pair<std::string, std::string>>& values) {
  std::string result = "}(";
  for (const auto& [key, value] : values) result += text(key) + value;
  return whole(result + "u");
}

}  // namespace pickled

struct ZipFile {
  std::string name;
  std::string bytes;
  std::uint16_t method = 0;
};

/// A zip archive of stored files, with the records of zip64 if asked for.
[[nodiscard]] inline std::string zip_of(const std::vector<ZipFile>& files, bool zip64 = false) {
  std::string archive;
  std::string directory;
  for (const auto& [name, bytes, method] : files) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const auto offset = static_cast<std::uint32_t>(archive.size());
    const std::string stored_size = little(zip64 ? ~0U : size);
    // flags, method, time, date, checksum, both sizes, length of the name
    std::string common = little(std::uint16_t{0});
    common.append(little(method)).append(8, '\0').append(stored_size).append(stored_size);
    common.append(little(static_cast<std::uint16_t>(name.size())));
    archive.append("PK\x03\x04").append(little(std::uint16_t{45})).append(common).append(2, '\0').append(name).append(bytes);
    std::string extra;
    if (zip64) {
      extra.append(little(std::uint16_t{1})).append(little(std::uint16_t{24}));
      extra.append(little(std::uint64_t{size})).append(little(std::uint64_t{size})).append(little(std::uint64_t{offset}));
    }
    directory.append("PK\x01\x02").append(little(std::uint32_t{45})).append(common);
    directory.append(little(static_cast<std::uint16_t>(extra.size()))).append(10, '\0').append(little(zip64 ? ~0U : offset));
    directory.append(name).append(extra);
  }
  const auto begin = archive.size();
  archive += directory;
  const auto end = archive.size();
  const auto count = files.size();
  if (zip64) {
    archive += "PK\x06\x06" + little(std::uint64_t{44}) + std::string(12, '\0') + little(std::uint64_t{count}) +
               little(std::uint64_t{count}) + little(std::uint64_t{end - begin}) + little(std::uint64_t{begin});
    archive += "PK\x06\x07" + std::string(4, '\0') + little(std::uint64_t{end}) + little(std::uint32_t{1});
  }
  const auto count16 = static_cast<std::uint16_t>(zip64 ? 0xFFFF : count);
  return archive + "PK\x05\x06" + std::string(4, '\0') + little(count16) + little(count16) +
         little(zip64 ? ~0U : static_cast<std::uint32_t>(end - begin)) + little(zip64 ? ~0U : static_cast<std::uint32_t>(begin)) +
         std::string(2, '\0');
}

/// The zip form of torch.save.
[[nodiscard]] inline std::string torch_zip(const std::string& pickle, const std::vector<std::pair<std::string, std::string>>& storages,
                                           bool zip64 = false) {
  std::vector<ZipFile> files = {{"m/data.pkl", pickle}, {"m/byteorder", "little"}, {"m/version", "3\n"}};
  for (const auto& [key, bytes] : storages) files.push_back({"m/data/" + key, bytes});
  return zip_of(files, zip64);
}

/// The form of torch.save before 1.6; a storage is its key, its count and its bytes.
struct OldStorage {
  std::string key;
  std::uint64_t count = 0;
  std::string bytes;
};
[[nodiscard]] inline std::string torch_old(const std::string& pickle, const std::vector<OldStorage>& storages, bool little_endian = true) {
  std::string keys = "](";
  std::string data;
  for (const auto& [key, count, bytes] : storages) {
    keys += pickled::text(key);
    data += little(count) + bytes;
  }
  return pickled::whole(std::string("\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19")) + pickled::whole(pickled::integer(1001)) +
         pickled::state_dict({{"protocol_version", pickled::integer(1001)}, {"little_endian", little_endian ? "\x88" : "\x89"}}) + pickle +
         pickled::whole(keys + "e") + data;
}

/// The bytes of float numbers.
[[nodiscard]] inline std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace preamble::testing
