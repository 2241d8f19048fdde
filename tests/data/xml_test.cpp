#include "data/xml.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "engine/core/error.h"

namespace xml_test {

using namespace preamble;

TEST_CASE("xml: elements, attributes, text and entities") {
  const XmlElement root = read_xml(
      "<?xml version=\"1.0\"?>\n<!DOCTYPE a>\n<!-- first -->\n<a x='1' y=\"&quot;2&quot;\">\n one &amp; <b/>two &#233;&#x41;\n<!-- c --><b "
      "z=\"3\">in</b></a>\n",
      "f.xml");
  CHECK(root.name == "a");
  CHECK(root.line == 4);
  CHECK(root.attribute("x") == "1");
  CHECK(root.attribute("y") == "\"2\"");
  CHECK(root.attribute("none").empty());
  CHECK(root.text == "\n one & two \u00e9A\n");
  REQUIRE(root.children.size() == 2);
  CHECK(root.children[1].text == "in");
  CHECK(root.children[1].line == 6);
  std::vector<std::string> found;
  root.each("b", [&](const XmlElement& child) { found.emplace_back(child.attribute("z")); });
  CHECK(found == std::vector<std::string>{"", "3"});
}

TEST_CASE("xml: a document type may hold declarations") {
  CHECK(read_xml("<?xml version='1.0'?>\n<!DOCTYPE a [\n<!ELEMENT a (b)>\n<!ATTLIST a x CDATA \"\">\n]>\n<a>text</a>", "f.xml").text == "text");
  CHECK_THROWS_WITH_AS((void)read_xml("<!DOCTYPE a [\n<a/>", "f.xml"), "f.xml:1: a declaration is not closed", FileError);
}

TEST_CASE("xml: what is malformed is one error with the line") {
  const auto fails = [](const std::string& text, const char* message) {
    CHECK_THROWS_WITH_AS((void)read_xml(text, "f.xml"), message, FileError);
  };
  fails("", "f.xml:1: no element; wanted '<'");
  fails("<a>\n<b></a>", "f.xml:2: 'b' is closed by 'a'");
  fails("<a>\n", "f.xml:1: 'a' is not closed");
  fails("<a/>\n<b/>", "f.xml:2: text behind the root element");
  fails("<a b=c/>", "f.xml:1: attribute 'b' without a value in quotes");
  fails("<a b='1' b='2'/>", "f.xml:1: attribute 'b' twice");
  fails("<a>&copy;</a>", "f.xml:1: entity '&copy;' is unknown");
  fails("<a>&#xD800;</a>", "f.xml:1: entity '&#xD800;' is unknown");
  fails("<a>a & b</a>", "f.xml:1: '&' without ';'");
  fails("<!-- a", "f.xml:1: a comment is not closed");
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "<a>";
  fails(deep, "f.xml:1: elements nested too deeply; wanted at most 64 levels");
}

TEST_CASE("xml: CDATA sections stand as they are, and instructions are passed over") {
  const XmlElement root = read_xml("<a>x <![CDATA[1 < 2 && <b> ]]><?php a > b ?>y</a>", "f.xml");
  CHECK(root.text == "x 1 < 2 && <b> y");
  CHECK(root.children.empty());
  CHECK_THROWS_WITH_AS((void)read_xml("<a>\n<![CDATA[x</a>", "f.xml"), "f.xml:2: a CDATA section is not closed", FileError);
}

}  // namespace xml_test
