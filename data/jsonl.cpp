#include "data/jsonl.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/json_file.h"
#include "data/text_file.h"
#include "engine/core/error.h"
#include "engine/core/file.h"

namespace preamble {
namespace {

constexpr std::size_t kMaxDepth = 64;

/// The text of an exception of nlohmann without its tag, cut to a readable length: it quotes the token that it stumbled
/// over, which may be the rest of the file. `in_line`: without the line number, which is 1 for a single line.
std::string reason_of(const nlohmann::json::exception& error, bool in_line) {
  constexpr std::size_t kLongest = 240;
  std::string reason = error.what();
  for (const std::string_view tag : {"] ", in_line ? "parse error at line 1, " : ""}) {
    const std::size_t found = reason.find(tag);
    if (found != std::string::npos) reason.erase(0, found + tag.size());
  }
  if (reason.size() > kLongest) reason = reason.substr(0, char_start(reason, kLongest)) + "...";
  return reason;
}

/// Turns the events of nlohmann's parser into cells. No tree is built, so numbers keep their spelling and a hostile file
/// costs no more memory than its text.
class RowEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  /// `line` > 0: the text is one object, on that line. 0: the text is an array of objects.
  RowEvents(Table& table, std::int64_t line) : table_(table), line_(line) {}

  bool null() override { return scalar(CellKind::null, ""); }
  bool boolean(bool value) override { return scalar(CellKind::boolean, value ? "true" : "false"); }
  bool number_integer(std::int64_t value) override { return scalar(CellKind::number, std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) override { return scalar(CellKind::number, std::to_string(value)); }
  bool number_float(double /*value*/, const std::string& spelling) override { return scalar(CellKind::number, spelling); }
  bool string(std::string& value) override { return scalar(CellKind::text, value); }
  bool binary(nlohmann::json::binary_t& /*value*/) override { return false; }  // JSON text has no binary values

  bool start_object(std::size_t /*elements*/) override {
    if (list_depth_ != 0) {
      open('{');
      return true;
    }
    if (path_.empty()) require<FileError>(line_ > 0 || in_rows_, "{}: an object; wanted a list of objects", where());
    path_.push_back(path_.empty() ? 0 : name_.size());
    check_depth();
    return true;
  }

  bool end_object() override {
    if (list_depth_ != 0) return close('}');
    name_.resize(path_.back());
    path_.pop_back();
    if (path_.empty()) table_.add_row(line_, std::exchange(cells_, {}));
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    if (list_depth_ != 0 || !path_.empty()) {
      open('[');
      return true;
    }
    if (line_ > 0 || in_rows_) refuse("a list");
    in_rows_ = true;
    return true;
  }

  bool end_array() override {
    if (list_depth_ != 0) {
      close(']');
      if (list_depth_ == 0) add(CellKind::list, std::exchange(list_, {}));
    }
    return true;
  }

  bool key(std::string& value) override {
    if (list_depth_ != 0) {
      separate();
      list_ += quoted(value) + ':';
      after_key_ = true;
      return true;
    }
    name_.resize(path_.back());
    if (path_.size() > 1) name_ += '.';
    name_ += value;
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*last_token*/, const nlohmann::json::exception& error) override {
    raise<FileError>("{}: not JSON: {}", line_ > 0 ? where() : table_.source(), reason_of(error, line_ > 0));
  }

 private:
  [[nodiscard]] std::string where() const {
    if (line_ > 0) return fmt::format("{}:{}", table_.source(), line_);
    return in_rows_ ? fmt::format("{}: row {}", table_.source(), table_.rows() + 1) : table_.source();
  }
  [[nodiscard]] static std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

  [[noreturn]] void refuse(std::string_view found) const {
    raise<FileError>("{}: {}; wanted {}", where(), found, line_ > 0 || in_rows_ ? "an object" : "a list of objects");
  }

  void check_depth() const { require<FileError>(path_.size() + list_depth_ <= kMaxDepth, "{}: nested deeper than {}", where(), kMaxDepth); }

  bool scalar(CellKind kind, std::string value) {
    if (list_depth_ == 0) {
      if (path_.empty()) refuse(kind == CellKind::text ? "a string" : kind == CellKind::null ? "null" : value);
      add(kind, std::move(value));
      return true;
    }
    separate();
    if (kind == CellKind::text) value = quoted(value);
    list_ += kind == CellKind::null ? "null" : value;
    return true;
  }

  void add(CellKind kind, std::string value) { cells_.push_back({table_.add_column(name_), kind, std::move(value)}); }

  void open(char bracket) {
    separate();
    list_ += bracket;
    ++list_depth_;
    check_depth();
  }

  bool close(char bracket) {
    list_ += bracket;
    --list_depth_;
    return true;
  }

  /// A comma, unless the value is the first of its list or follows its key.
  void separate() {
    const bool first = list_.empty() || list_.back() == '[' || list_.back() == '{';
    if (!first && !after_key_) list_ += ',';
    after_key_ = false;
  }

  Table& table_;
  std::int64_t line_;
  bool in_rows_ = false;
  std::vector<std::size_t> path_;  // length of the dotted name of each object that is open
  std::string name_;
  std::vector<Cell> cells_;
  std::string list_;  // JSON text of the list that is open
  std::size_t list_depth_ = 0;
  bool after_key_ = false;
};

/// Goes through JSON text bracket by bracket.
class BracketScanner {
 public:
  explicit BracketScanner(std::string_view text) : text_(text) {}

  /// The next bracket, colon or string outside of strings; an empty view at the end.
  std::string_view next() {
    at_ = text_.find_first_of("{}[]:\"", at_);
    if (at_ == std::string_view::npos) return {};
    const std::size_t begin = at_++;
    if (text_[begin] != '"') {
      depth_ += text_[begin] == '{' || text_[begin] == '[' ? 1 : text_[begin] == ':' ? 0 : -1;
      return text_.substr(begin, 1);
    }
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(text_.size(), at_ + 1);
    return text_.substr(begin, at_ - begin);
  }
  /// Brackets that are open behind the last token.
  [[nodiscard]] std::int64_t depth() const noexcept { return depth_; }
  /// Where the last token ends.
  [[nodiscard]] std::size_t at() const noexcept { return at_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::int64_t depth_ = 0;
};

/// The text up to the end of the list that it begins with, or all of it.
std::string_view first_list(std::string_view text) {
  BracketScanner scanner(text);
  while (!scanner.next().empty()) {
    if (scanner.depth() == 0) return text.substr(0, scanner.at());
  }
  return text;
}

std::string line_of(const nlohmann::ordered_json& object) {
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace

void read_jsonl(Table& table, std::string_view content) {
  LineReader lines(content);
  while (const auto line = lines.next()) {
    if (line->find_first_not_of(" \t\r") == std::string_view::npos) continue;
    RowEvents events(table, lines.number());
    nlohmann::json::sax_parse(*line, &events);
  }
}

void read_json_array(Table& table, std::string_view content) {
  RowEvents events(table, 0);
  nlohmann::json::sax_parse(content, &events);
}

std::optional<std::string_view> data_list(std::string_view content) {
  BracketScanner scanner(content);
  if (scanner.next() != "{") return std::nullopt;
  std::string_view former, key;
  for (std::string_view token = scanner.next(); !token.empty(); token = scanner.next()) {
    if (token == ":" && scanner.depth() == 1) key = former;
    if (token == "[" && scanner.depth() == 2 && former == ":" && key == "\"data\"") {
      const std::size_t begin = scanner.at() - 1;
      while (scanner.depth() > 1 && !scanner.next().empty()) {
      }
      return content.substr(begin, scanner.at() - begin);
    }
    former = token;
  }
  return std::nullopt;
}

void read_json(Table& table, std::string_view content) {
  content = without_byte_order_mark(content);
  constexpr const char* kBlank = " \t\r\n";
  const std::size_t first = std::min(content.size(), content.find_first_not_of(kBlank));
  const bool list = content.substr(first).starts_with('[');
  const std::string_view line = content.substr(first, content.find('\n', first) - first);
  const bool many_lines = content.find_first_not_of(kBlank, first + line.size()) != std::string_view::npos;
  const bool lines = !list && many_lines && nlohmann::json::accept(line);
  const auto data = list || lines ? std::nullopt : data_list(content);
  const bool one_object = !list && !lines && !data && many_lines && nlohmann::json::accept(content);
  if (list || data || one_object) {
    // what stands round the list is checked too
    if (data && !nlohmann::json::accept(content)) static_cast<void>(JsonFile::parse(content, table.source()));
    // exports in pieces write a list for each
    for (std::string_view rest = data.value_or(content); !rest.empty();) {
      const std::string_view piece = first_list(rest);
      read_json_array(table, piece);
      rest.remove_prefix(piece.size());
      rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(kBlank)));
    }
  } else {
    read_jsonl(table, content);
  }
}

void write_jsonl(const std::filesystem::path& path, const std::function<void(const JsonSink&)>& produce) {
  write_atomically(path, [&](const Sink& sink) {
    produce([&](const nlohmann::ordered_json& object) {
      const std::string line = line_of(object);
      sink(std::as_bytes(std::span(line.data(), line.size())));
    });
  });
}

void write_jsonl(std::ostream& stream, const std::function<void(const JsonSink&)>& produce) {
  produce([&](const nlohmann::ordered_json& object) {
    stream << line_of(object) << std::flush;
    require<FileError>(stream.good(), "output stream: cannot write");
  });
}

}  // namespace preamble
