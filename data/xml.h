// Enough of XML for data sets: elements, attributes, text.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace preamble {

/// An element with everything in it.
struct XmlElement {
  std::string name;
  std::map<std::string, std::string, std::less<>> attributes;
  std::string text;  ///< its own, pieces between children joined; entities are resolved, CDATA sections stand as they are
  std::vector<XmlElement> children;
  std::int64_t line = 0;  ///< of the start tag

  /// The attribute, or nothing.
  [[nodiscard]] std::string_view attribute(std::string_view key) const;
  /// Calls visit(child) for each child of that name.
  void each(std::string_view child_name, const std::function<void(const XmlElement&)>& visit) const;
};

/// The root element of a UTF-8 document. Declarations, instructions and comments are passed over; of entities the five that XML defines and
/// character numbers are known. Throws FileError (`source` and line) for anything else, tags that do not match, text outside the root,
/// and nesting deeper than 64.
[[nodiscard]] XmlElement read_xml(std::string_view text, const std::string& source);

}  // namespace preamble
