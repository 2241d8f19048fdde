#include "data/jsonl.h"

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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
