#include "data/xml.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "data/text_file.h"
#include "data/tokenizers/utf8.h"
#include "engine/core/error.h"

namespace preamble {
namespace {

constexpr int kMaxElementDepth = 64;
constexpr std::string_view kSpace = " \t\r\n";

class XmlReader {
 public:
  XmlReader(std::string_view text, const std::string& source) : text_(without_byte_order_mark(text)), source_(source) {
    require_text(text_, source_, 1);
  }

  XmlElement document() {
    skip_between();
    XmlElement root = element(1);
    skip_between();
    if (at_ < text_.size()) fail("text behind the root element");
    return root;
  }

 private:
  XmlElement element(int depth) {
    if (depth > kMaxElementDepth) fail("elements nested too deeply; wanted at most 64 levels");
    XmlElement result;
    result.line = line();
    if (!accept("<")) fail("no element; wanted '<'");
    result.name = name();
    while (!at("/>") && !at(">")) {
      skip_space();
      if (at("/>") || at(">")) break;
      attribute(result);
    }
    if (accept("/>")) return result;
    (void)accept(">");
    content(result, depth);
    return result;
  }

  void content(XmlElement& result, int depth) {
    for (;;) {
      const std::size_t tag = text_.find('<', at_);
      if (tag == std::string_view::npos) fail(fmt::format("'{}' is not closed", result.name));
      result.text += resolved(text_.substr(at_, tag - at_));
      at_ = tag;
      if (accept("</")) {
        const std::string closed = name();
        skip_space();
        if (closed != result.name || !accept(">")) fail(fmt::format("'{}' is closed by '{}'", result.name, closed));
        return;
      }
      if (!skip_comment() && !skip_instruction() && !accept_cdata(result.text)) result.children.push_back(element(depth + 1));
    }
  }

  /// A section of text without markup; it is taken as it stands.
  bool accept_cdata(std::string& text) {
    if (!accept("<![CDATA[")) return false;
    const std::size_t end = text_.find("]]>", at_);
    if (end == std::string_view::npos) fail("a CDATA section is not closed");
    text += text_.substr(at_, end - at_);
    at_ = end + 3;
    return true;
  }

  void attribute(XmlElement& result) {
    const std::string key = name();
    skip_space();
    if (!accept("=")) fail(fmt::format("attribute '{}' without '='", key));
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    const std::size_t end = quote == '"' || quote == '\'' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) fail(fmt::format("attribute '{}' without a value in quotes", key));
    if (!result.attributes.emplace(key, resolved(text_.substr(at_ + 1, end - at_ - 1))).second)
      fail(fmt::format("attribute '{}' twice", key));
    at_ = end + 1;
  }

  std::string name() {
    const std::size_t begin = at_;
    at_ = std::min(text_.size(), text_.find_first_of(" \t\r\n=/><\"'&", at_));
    if (at_ == begin) fail("no name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  [[nodiscard]] std::string resolved(std::string_view raw) const {
    static constexpr std::array<std::pair<std::string_view, char>, 5> kEntities = {
        {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};
    std::string result;
    while (!raw.empty()) {
      const std::size_t mark = std::min(raw.size(), raw.find('&'));
      result += raw.substr(0, mark);
      raw.remove_prefix(mark);
      if (raw.empty()) break;
      const std::size_t end = raw.find(';');
      if (end == std::string_view::npos) fail("'&' without ';'");
      const std::string_view entity = raw.substr(1, end - 1);
      const auto known = std::ranges::find(kEntities, entity, &std::pair<std::string_view, char>::first);
      if (known != kEntities.end()) {
        result += known->second;
      } else {
        append_number(result, entity);
      }
      raw.remove_prefix(end + 1);
    }
    return result;
  }

  void append_number(std::string& result, std::string_view entity) const {
    const bool hex = entity.starts_with("#x");
    std::string_view digits = entity.starts_with("#") ? entity.substr(hex ? 2 : 1) : std::string_view();
    std::uint32_t code = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    if (digits.empty() || error != std::errc() || stop != digits.data() + digits.size() || code == 0 || code > 0x10FFFF || surrogate) {
      fail(fmt::format("entity '&{};' is unknown", entity));
    }
    append_utf8(static_cast<char32_t>(code), result);
  }

  /// White space, declarations and comments around the root.
  void skip_between() {
    for (;;) {
      skip_space();
      if (skip_instruction()) continue;
      if (at("<!") && !at("<!--")) {
        skip_declaration();
      } else if (!skip_comment()) {
        return;
      }
    }
  }
  /// `<!DOCTYPE name>`, also with declarations of its own in brackets.
  void skip_declaration() {
    std::size_t end = text_.find_first_of("[>", at_);
    if (end != std::string_view::npos && text_[end] == '[') {
      end = text_.find(']', end);
      if (end != std::string_view::npos) end = text_.find('>', end);
    }
    if (end == std::string_view::npos) fail("a declaration is not closed");
    at_ = end + 1;
  }
  bool skip_comment() {
    if (!at("<!--")) return false;
    const std::size_t end = text_.find("-->", at_);
    if (end == std::string_view::npos) fail("a comment is not closed");
    at_ = end + 3;
    return true;
  }
  bool skip_instruction() {
    if (!at("<?")) return false;
    const std::size_t end = text_.find("?>", at_);
    if (end == std::string_view::npos) fail("a processing instruction is not closed");
    at_ = end + 2;
    return true;
  }
  void skip_space() { at_ = std::min(text_.size(), text_.find_first_not_of(kSpace, at_)); }
  [[nodiscard]] bool at(std::string_view token) const { return text_.substr(at_).starts_with(token); }
  bool accept(std::string_view token) {
    if (!at(token)) return false;
    at_ += token.size();
    return true;
  }
  /// Of the present place; counted on from the last one.
  [[nodiscard]] std::int64_t line() const {
    line_ += std::ranges::count(text_.substr(counted_, at_ - counted_), '\n');
    counted_ = at_;
    return line_;
  }
  [[noreturn]] void fail(const std::string& problem) const { raise<FileError>("{}:{}: {}", source_, line(), problem); }

  std::string_view text_;
  const std::string& source_;
  std::size_t at_ = 0;
  mutable std::size_t counted_ = 0;
  mutable std::int64_t line_ = 1;
};

}  // namespace

std::string_view XmlElement::attribute(std::string_view key) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? std::string_view() : std::string_view(found->second);
}

void XmlElement::each(std::string_view child_name, const std::function<void(const XmlElement&)>& visit) const {
  for (const auto& child : children) {
    if (child.name == child_name) visit(child);
  }
}

XmlElement read_xml(std::string_view text, const std::string& source) { return XmlReader(text, source).document(); }

}  // namespace preamble
