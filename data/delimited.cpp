#include "data/delimited.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "data/text_file.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

bool is_blank(std::span<const std::string> fields) { return fields.size() == 1 && fields[0].empty(); }

}  // namespace

DelimitedReader::DelimitedReader(std::string_view source, std::string_view content, Delimited form)
    : source_(source), rest_(without_byte_order_mark(content)), form_(form) {}

const std::vector<std::string>* DelimitedReader::next() {
  if (rest_.empty()) return nullptr;
  line_ = next_line_;
  fields_.clear();
  bool more = true;
  while (more) {
    fields_.emplace_back();
    more = form_ == Delimited::csv && rest_.starts_with('"') ? read_quoted(fields_.back()) : read_plain(fields_.back());
  }
  for (const std::string& field : fields_) require_text(field, source_, line_);
  return &fields_;
}

/// Takes the field up to a delimiter (true: another field follows) or the end of the line.
bool DelimitedReader::read_plain(std::string& field) {
  const std::string_view stops = form_ == Delimited::csv ? ",\n" : "\t\n";
  const std::size_t length = std::min(rest_.find_first_of(stops), rest_.size());
  field = rest_.substr(0, length);
  rest_.remove_prefix(length);
  const bool more = end_field();
  if (!more && field.ends_with('\r')) field.pop_back();
  return more;
}

bool DelimitedReader::read_quoted(std::string& field) {
  const std::int64_t opened = next_line_;
  rest_.remove_prefix(1);
  for (;;) {
    const std::size_t length = rest_.find('"');
    require<FileError>(length != std::string_view::npos, "{}:{}: a quoted field without its closing quote", source_, opened);
    field += rest_.substr(0, length);
    next_line_ += std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(length), '\n');
    rest_.remove_prefix(length + 1);
    if (!rest_.starts_with('"')) break;
    field += '"';
    rest_.remove_prefix(1);
  }
  if (rest_.starts_with("\r\n") || rest_ == "\r") rest_.remove_prefix(1);
  require<FileError>(rest_.empty() || rest_.front() == ',' || rest_.front() == '\n',
                     "{}:{}: text after a closing quote; wanted a comma or the end of the line", source_, next_line_);
  return end_field();
}

bool DelimitedReader::end_field() {
  if (rest_.empty()) return false;
  const bool more = rest_.front() != '\n';
  if (!more) ++next_line_;
  rest_.remove_prefix(1);
  return more;
}

void read_delimited(Table& table, std::string_view content, Delimited form, std::span<const std::string> columns) {
  DelimitedReader reader(table.source(), content, form);
  std::vector<std::string> names(columns.begin(), columns.end());
  if (names.empty()) {
    const auto* header = reader.next();
    require<FileError>(header != nullptr, "{}: empty; wanted a header line and rows", table.source());
    names = *header;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    require<FileError>(table.add_column(names[i]) == i, "{}: column '{}' twice; wanted different names", table.source(), names[i]);
  }
  while (const auto* fields = reader.next()) {
    if (is_blank(*fields) && names.size() > 1) continue;
    require<FileError>(fields->size() == names.size(), "{}:{}: {} field{}; wanted {} as the columns", table.source(), reader.line(),
                       fields->size(), fields->size() == 1 ? "" : "s", names.size());
    std::vector<Cell> cells(names.size());
    for (std::size_t i = 0; i < names.size(); ++i) cells[i] = {i, CellKind::text, (*fields)[i]};
    table.add_row(reader.line(), std::move(cells));
  }
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace preamble
