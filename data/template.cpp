#include "data/template.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "engine/core/error.h"

namespace preamble {
namespace {

/// Takes a template apart from left to right.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Template::Piece> pieces() {
    std::vector<Template::Piece> pieces;
    std::string literal;
    const auto flush = [&] {
      if (!literal.empty()) pieces.push_back({false, std::exchange(literal, {}), std::nullopt});
    };
    while (at_ < text_.size()) {
      if (accept("{{")) {
        literal += '{';
      } else if (accept("}}")) {
        literal += '}';
      } else if (accept("{")) {
        flush();
        pieces.push_back(field());
      } else {
        if (text_[at_] == '}') fail("'}' without '{'; wanted '}}' for a brace");
        literal += text_[at_++];
      }
    }
    flush();
    return pieces;
  }

 private:
  Template::Piece field() {
    const std::size_t end = text_.find_first_of("|{}", at_);
    if (end == std::string_view::npos || text_[end] == '{') fail("'{' without '}'; wanted '{{' for a brace");
    Template::Piece piece{true, std::string(text_.substr(at_, end - at_)), std::nullopt};
    if (piece.text.empty()) fail("no name between braces; wanted the name of a column");
    at_ = end;
    if (accept("|")) {
      if (!accept("join(\"")) fail("unknown filter; wanted |join(\"separator\")");
      piece.separator = separator();
      if (!accept(")")) fail("no ')' after the separator");
    }
    if (!accept("}")) fail("'{' without '}'");
    return piece;
  }

  std::string separator() {
    std::string separator;
    while (!accept("\"")) {
      const bool escaped = accept("\\");
      if (at_ >= text_.size()) fail("no closing quote after the separator");
      const char c = text_[at_++];
      separator += escaped && c == 'n' ? '\n' : escaped && c == 't' ? '\t' : c;
    }
    return separator;
  }

  bool accept(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  [[noreturn]] void fail(std::string_view problem) const { raise<ConfigError>("template '{}', position {}: {}", text_, at_, problem); }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string join(const Cell& cell, const std::string& separator, const std::string& where, const std::string& name) {
  require<FileError>(cell.kind == CellKind::list, "{}: field '{}' is no list; wanted one to join", where, name);
  std::string joined;
  bool first = true;
  for (const auto& item : nlohmann::json::parse(cell.value)) {
    require<FileError>(item.is_primitive() && !item.is_null(), "{}: list '{}' holds {}; wanted texts, numbers or booleans to join", where,
                       name, item.type_name());
    if (!std::exchange(first, false)) joined += separator;
    joined += item.is_string() ? item.get<std::string>() : item.dump();
  }
  return joined;
}

}  // namespace

Template::Template(std::string_view text) : text_(text), pieces_(Parser(text).pieces()) {}

BoundTemplate::BoundTemplate(Template pattern, const Table& table) : pattern_(std::move(pattern)), table_(&table) {
  for (const auto& piece : pattern_.pieces()) columns_.push_back(piece.is_field ? table.column(piece.text) : 0);
}

std::vector<std::string> BoundTemplate::texts(std::int64_t row) const {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Template::Piece& piece = pattern_.pieces()[i];
    if (!piece.is_field) {
      texts.push_back(piece.text);
    } else if (piece.separator) {
      texts.push_back(join(table_->cell(row, columns_[i]), *piece.separator, table_->where(row), piece.text));
    } else {
      texts.push_back(table_->text(row, columns_[i]));
    }
  }
  return texts;
}

std::string BoundTemplate::render(std::int64_t row) const {
  std::string whole;
  for (const std::string& text : texts(row)) whole += text;
  return whole;
}

}  // namespace preamble
