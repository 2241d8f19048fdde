#include "data/gzip.h"

#include <algorithm>
#include <array>
#include <limits>

#include <zlib.h>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// zlib's state, freed on every way out.
class Inflater {
 public:
  explicit Inflater(std::string_view source) : source_(source) {
    constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's header
    require<FileError>(inflateInit2(&stream_, kGzipWindow) == Z_OK, "{}: zlib cannot begin: no memory", source_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  std::string run(std::string_view content) {
    std::string text;
    std::array<char, 1 << 16> block;
    bool ended = false;
    while (!ended || !content.empty() || stream_.avail_in > 0) {
      if (ended) require<FileError>(inflateReset(&stream_) == Z_OK, "{}: zlib cannot go on", source_);
      refill(content);
      stream_.next_out = reinterpret_cast<Bytef*>(block.data());
      stream_.avail_out = static_cast<uInt>(block.size());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      require<FileError>(status == Z_OK || status == Z_STREAM_END, "{}: {}; wanted a whole gzip file", source_,
                         status == Z_BUF_ERROR ? "it ends too early" : stream_.msg != nullptr ? stream_.msg : "damaged gzip data");
      text.append(block.data(), block.size() - stream_.avail_out);
      ended = status == Z_STREAM_END;
    }
    return text;
  }

 private:
  /// zlib counts bytes in 32 bits.
  void refill(std::string_view& content) {
    if (stream_.avail_in > 0) return;
    const std::size_t count = std::min<std::size_t>(content.size(), std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream_.avail_in = static_cast<uInt>(count);
    content.remove_prefix(count);
  }

  std::string_view source_;
  z_stream stream_ = {};
};

}  // namespace

bool is_gzip(std::string_view content) noexcept { return content.starts_with("\x1F\x8B"); }

std::string gunzip(std::string_view content, std::string_view source) { return Inflater(source).run(content); }

}  // namespace preamble
