#include "data/truncation.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "data/text_file.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

/// The texts of one row and the search for the longest beginning of one of them that fits.
class Shortener {
 public:
  Shortener(const Tokenize& tokenize, std::vector<std::string> texts, std::size_t max_length)
      : tokenize_(tokenize), texts_(std::move(texts)), max_length_(max_length) {
    encode();
  }

  [[nodiscard]] bool fits() const noexcept { return ids_.size() <= max_length_; }
  [[nodiscard]] const std::vector<std::int32_t>& ids() const noexcept { return ids_; }
  [[nodiscard]] std::size_t length_of(std::size_t piece) const noexcept { return count_chars(texts_[piece]); }

  /// Cuts one piece as little as needed, or to nothing if that is not enough either.
  void shorten(std::size_t piece) {
    const std::string whole = std::exchange(texts_[piece], {});
    encode();
    if (!fits()) return;
    std::vector<std::int32_t> best = ids_;
    std::size_t low = 0;              // fits
    std::size_t high = whole.size();  // does not fit
    const auto try_length = [&](std::size_t length) {
      texts_[piece].assign(whole, 0, length);
      encode();
      if (fits()) {
        low = length;
        best = ids_;
      } else {
        high = length;
      }
    };
    // first by doubling, so that a giant field costs what remains of it, then by halving
    for (std::size_t length = 4 * max_length_ + 4; length < high; length *= 2) {
      const std::size_t start = char_start(whole, length);
      try_length(start);
      if (high == start) break;
    }
    for (;;) {
      std::size_t middle = char_start(whole, low + (high - low) / 2);
      if (middle <= low) middle = low + decode_char(whole, low).bytes;
      if (middle >= high) break;
      try_length(middle);
    }
    ids_ = std::move(best);
  }

 private:
  void encode() {
    std::string all;
    for (const std::string& text : texts_) all += text;
    ids_ = tokenize_(all);
  }

  const Tokenize& tokenize_;
  std::vector<std::string> texts_;
  std::size_t max_length_;
  std::vector<std::int32_t> ids_;
};

/// Indices of the pieces that may be cut, in the order in which they are.
std::vector<std::size_t> cuttable(const Template& pattern, const Shortener& row, const std::string& cut_field) {
  std::vector<std::size_t> order;
  for (std::size_t i = pattern.pieces().size(); i-- > 0;) {
    const auto& piece = pattern.pieces()[i];
    if (piece.is_field && (cut_field.empty() || piece.text == cut_field)) order.push_back(i);
  }
  require<ConfigError>(cut_field.empty() || !order.empty(), "template '{}': no field '{}' to cut; wanted one of its fields", pattern.text(),
                       cut_field);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return row.length_of(a) > row.length_of(b); });
  return order;
}

}  // namespace

std::vector<std::int32_t> encode_truncated(const Tokenize& tokenize, const BoundTemplate& source, std::int64_t row, std::int64_t max_length,
                                           const std::string& cut_field, TruncationReport& report) {
  require<ConfigError>(max_length > 0, "length limit of {} tokens; wanted at least 1", max_length);
  Shortener text(tokenize, source.texts(row), static_cast<std::size_t>(max_length));
  if (text.fits()) return text.ids();
  const std::size_t whole = text.ids().size();
  for (const std::size_t piece : cuttable(source.pattern(), text, cut_field)) {
    text.shorten(piece);
    if (text.fits()) {
      ++report.sources_cut;
      report.source_tokens_cut += static_cast<std::int64_t>(whole - std::min(whole, text.ids().size()));
      return text.ids();
    }
  }
  raise<FileError>("{}: template '{}' takes {} tokens without {}; wanted at most {}", source.table().where(row), source.pattern().text(),
                   text.ids().size(), cut_field.empty() ? "its fields" : "'" + cut_field + "'", max_length);
}

std::vector<std::int32_t> encode_target(const Tokenize& tokenize, std::string_view text, std::int64_t max_length,
                                        TruncationReport& report) {
  require<ConfigError>(max_length > 0, "length limit of {} tokens; wanted at least 1", max_length);
  std::vector<std::int32_t> ids = tokenize(text);
  const auto limit = static_cast<std::size_t>(max_length);
  if (ids.size() > limit) {
    ++report.targets_cut;
    report.target_tokens_cut += static_cast<std::int64_t>(ids.size() - limit);
    ids.resize(limit);
  }
  return ids;
}

}  // namespace preamble
