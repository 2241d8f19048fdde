#include "data/zip_directory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "data/byte_reader.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034B50;
constexpr std::uint32_t kCentralHeader = 0x02014B50;
constexpr std::uint32_t kEnd = 0x06054B50;
constexpr std::uint32_t kEnd64 = 0x06064B50;
constexpr std::uint32_t kEnd64Locator = 0x07064B50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocatorBytes = 20;
constexpr std::size_t kCentralBytes = 46;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // "see the zip64 field"
constexpr std::uint16_t kEncrypted = 1;
constexpr std::uint16_t kSizesFollow = 8;

/// Where the central directory lies.
struct Directory {
  std::uint64_t count = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// A central header, zip64 resolved.
struct Central {
  std::string_view name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint64_t packed_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t local_offset = 0;
};

/// Bytes [begin, end) that an entry takes, local header included.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string_view name;
};

class Archive {
 public:
  Archive(std::span<const std::byte> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  [[nodiscard]] std::vector<ZipEntry> entries() const {
    const Directory directory = find_directory();
    require<FileError>(directory.count <= (directory.end - directory.begin) / kCentralBytes,
                       "{}: the zip directory claims {} entries in {} bytes; wanted {} bytes for each", where_, directory.count,
                       directory.end - directory.begin, kCentralBytes);
    ByteReader reader(bytes_.first(directory.end), where_, directory.begin);
    std::vector<ZipEntry> entries;
    std::vector<Extent> extents;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
      const Central central = read_central(reader);
      const auto data = locate(central, directory.begin);
      entries.push_back({central.name, data});
      extents.push_back({central.local_offset, static_cast<std::uint64_t>(data.data() - bytes_.data()) + data.size(), central.name});
    }
    require<FileError>(reader.position() == directory.end, "{}: the zip directory ends at byte {}; wanted {}", where_, reader.position(),
                       directory.end);
    check_disjoint(std::move(extents));
    check_names(entries);
    return entries;
  }

 private:
  [[nodiscard]] ByteReader at(std::uint64_t position) const { return {bytes_, where_, position}; }

  /// Position of the end record: the last one whose comment ends with the file.
  [[nodiscard]] std::size_t find_end() const {
    constexpr std::size_t kLongestComment = 0xFFFF;
    for (std::size_t comment = 0; comment <= kLongestComment && kEndBytes + comment <= bytes_.size(); ++comment) {
      const std::size_t position = bytes_.size() - kEndBytes - comment;
      if (at(position).read<std::uint32_t>() == kEnd && at(position + 20).read<std::uint16_t>() == comment) return position;
    }
    raise<FileError>("{}: begins like a zip archive and has no end record; wanted a whole archive (is it truncated?)", where_);
  }

  [[nodiscard]] Directory find_directory() const {
    const std::size_t end = find_end();
    if (end >= kLocatorBytes && at(end - kLocatorBytes).read<std::uint32_t>() == kEnd64Locator)
      return find_directory64(end - kLocatorBytes);
    auto reader = at(end + 4);
    const auto disk = reader.read<std::uint16_t>();
    const auto directory_disk = reader.read<std::uint16_t>();
    const auto count_here = reader.read<std::uint16_t>();
    const auto count = reader.read<std::uint16_t>();
    const auto size = reader.read<std::uint32_t>();
    const auto begin = reader.read<std::uint32_t>();
    require<FileError>(disk == 0 && directory_disk == 0 && count_here == count, "{}: one volume of several; wanted a whole zip archive",
                       where_);
    return checked(count, begin, size, end);
  }

  [[nodiscard]] Directory find_directory64(std::size_t locator) const {
    auto reader = at(locator + 4);
    const auto disk = reader.read<std::uint32_t>();
    const auto record = reader.read<std::uint64_t>();
    const auto disks = reader.read<std::uint32_t>();
    require<FileError>(disk == 0 && disks <= 1, "{}: one volume of several; wanted a whole zip archive", where_);
    require<FileError>(record <= locator && locator - record >= kEnd64Bytes && at(record).read<std::uint32_t>() == kEnd64,
                       "{}: the zip64 locator points to byte {}; wanted the zip64 end record there", where_, record);
    reader = at(record + 4);
    const auto rest_bytes = reader.read<std::uint64_t>();
    require<FileError>(rest_bytes == locator - record - 12, "{}: the zip64 end record claims {} bytes; wanted {}", where_, rest_bytes,
                       locator - record - 12);
    reader.skip(4);  // versions
    const auto this_disk = reader.read<std::uint32_t>();
    const auto directory_disk = reader.read<std::uint32_t>();
    const auto count_here = reader.read<std::uint64_t>();
    const auto count = reader.read<std::uint64_t>();
    const auto size = reader.read<std::uint64_t>();
    const auto begin = reader.read<std::uint64_t>();
    require<FileError>(this_disk == 0 && directory_disk == 0 && count_here == count,
                       "{}: one volume of several; wanted a whole zip archive", where_);
    return checked(count, begin, size, record);
  }

  /// The directory must end where the end records begin.
  [[nodiscard]] Directory checked(std::uint64_t count, std::uint64_t begin, std::uint64_t size, std::uint64_t end) const {
    require<FileError>(begin <= end && size == end - begin,
                       "{}: the zip directory claims {} bytes from byte {} on; wanted it to end at byte {}", where_, size, begin, end);
    return {count, begin, end};
  }

  [[nodiscard]] Central read_central(ByteReader& reader) const {
    const std::size_t begin = reader.position();
    require<FileError>(reader.read<std::uint32_t>() == kCentralHeader, "{}: byte {} begins no zip directory entry; wanted one", where_,
                       begin);
    Central central;
    reader.skip(4);  // versions
    central.flags = reader.read<std::uint16_t>();
    central.method = reader.read<std::uint16_t>();
    reader.skip(8);  // time, date, checksum
    central.packed_bytes = reader.read<std::uint32_t>();
    central.bytes = reader.read<std::uint32_t>();
    const auto name_bytes = reader.read<std::uint16_t>();
    const auto extra_bytes = reader.read<std::uint16_t>();
    const auto comment_bytes = reader.read<std::uint16_t>();
    const auto disk = reader.read<std::uint16_t>();
    reader.skip(6);  // attributes
    central.local_offset = reader.read<std::uint32_t>();
    central.name = reader.text(name_bytes);
    resolve64(central, reader.take(extra_bytes));
    reader.skip(comment_bytes);
    require<FileError>(disk == 0 || disk == 0xFFFF, "{}: zip entry '{}' lies on another volume; wanted a whole archive", where_,
                       central.name);
    return central;
  }

  /// Replaces the fields that say "see zip64" by those of the extra field with id 1, which come in this order.
  void resolve64(Central& central, std::span<const std::byte> extra) const {
    ByteReader fields(extra, where_);
    while (extra.size() - fields.position() >= 4) {
      const auto id = fields.read<std::uint16_t>();
      const auto size = fields.read<std::uint16_t>();
      ByteReader values(fields.take(size), where_);
      if (id != 1) continue;
      for (auto* field : {&central.bytes, &central.packed_bytes, &central.local_offset}) {
        if (*field == kIn64) *field = values.read<std::uint64_t>();
      }
      return;
    }
  }

  /// The contents of an entry. All of it must lie in front of the directory.
  [[nodiscard]] std::span<const std::byte> locate(const Central& central, std::uint64_t directory) const {
    require<FileError>((central.flags & kEncrypted) == 0, "{}: zip entry '{}' is encrypted; wanted it plain", where_, central.name);
    require<FileError>(central.method == 0,
                       "{}: zip entry '{}' is compressed (method {}); wanted stored entries, as torch.save writes them", where_,
                       central.name, central.method);
    require<FileError>(central.bytes == central.packed_bytes, "{}: zip entry '{}' has {} bytes, stored as {}; wanted the same", where_,
                       central.name, central.bytes, central.packed_bytes);
    ByteReader reader(bytes_.first(directory), where_, central.local_offset);
    require<FileError>(reader.read<std::uint32_t>() == kLocalHeader, "{}: zip entry '{}' is said to be at byte {}; wanted its header there",
                       where_, central.name, central.local_offset);
    reader.skip(2);  // version
    const auto flags = reader.read<std::uint16_t>();
    const auto method = reader.read<std::uint16_t>();
    reader.skip(8);  // time, date, checksum
    const auto packed_bytes = reader.read<std::uint32_t>();
    reader.skip(4);
    const auto name_bytes = reader.read<std::uint16_t>();
    const auto extra_bytes = reader.read<std::uint16_t>();
    const bool same_size = (flags & kSizesFollow) != 0 || packed_bytes == kIn64 || packed_bytes == central.packed_bytes;
    require<FileError>(reader.text(name_bytes) == central.name && method == central.method && flags == central.flags && same_size,
                       "{}: zip entry '{}' differs between the directory and its header; wanted the same", where_, central.name);
    reader.skip(extra_bytes);
    return reader.take(central.bytes);
  }

  void check_disjoint(std::vector<Extent> extents) const {
    std::ranges::sort(extents, {}, &Extent::begin);
    for (std::size_t i = 1; i < extents.size(); ++i) {
      require<FileError>(extents[i - 1].end <= extents[i].begin, "{}: zip entries '{}' and '{}' overlap; wanted each byte once", where_,
                         extents[i - 1].name, extents[i].name);
    }
  }

  void check_names(const std::vector<ZipEntry>& entries) const {
    std::vector<std::string_view> names;
    names.reserve(entries.size());
    for (const auto& entry : entries) names.push_back(entry.name);
    std::ranges::sort(names);
    const auto twin = std::ranges::adjacent_find(names);
    if (twin != names.end()) raise<FileError>("{}: zip entry '{}' is there twice; wanted each name once", where_, *twin);
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
};

}  // namespace

bool is_zip(std::span<const std::byte> archive) noexcept {
  constexpr std::string_view kStart = "PK\x03\x04";
  return archive.size() >= kStart.size() && std::memcmp(archive.data(), kStart.data(), kStart.size()) == 0;
}

std::vector<ZipEntry> zip_entries(std::span<const std::byte> archive, const std::string& where) {
  return Archive(archive, where).entries();
}

}  // namespace preamble
