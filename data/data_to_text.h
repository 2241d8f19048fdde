// Data sets that say records in words, linearised as Li and Liang (2021) do: E2E, WebNLG, DART.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "data/table.h"

namespace preamble {

/// Which texts are read where texts have a language, and how many are not.
class LanguageFilter {
 public:
  explicit LanguageFilter(std::string language = "en") : language_(std::move(language)) {}

  /// Whether a text in `language` is read; nothing stands for English.
  [[nodiscard]] bool takes(std::string_view language);
  /// Warns about the texts that were not taken.
  void report(const std::string& source) const;

 private:
  std::string language_;
  std::map<std::string, std::size_t> others_;
};

/// `name[The Mill], eatType[pub], area[riverside]` as `name : The Mill | Type : pub | area : riverside`. `where` begins the message of
/// the FileError for anything else.
[[nodiscard]] std::string linearised_e2e(std::string_view mr, const std::string& where);

// Each appends a row for every text. Their columns: `source`, the linearised record; `target`, absent in files without texts.

/// E2E's CSV with the columns `mr` and, unless it is to be answered, `ref` (whatever their case), which are kept. Or lines of a record that
/// is linearised already, `||` and its text (Prefix-Tuning's files). Throws FileError as `read_delimited`, and for malformed records.
void read_e2e(Table& table, std::string_view content);

/// WebNLG's XML, or its JSON (`{"entries": [{"1": {...}}]}`). A source is `| subject : property : object` for each triple of
/// `modifiedtripleset`. Texts that are not marked good are left out, and those in
/// a language that `languages` does not take. Also `entry`, `category`, `size`, and `seen`: whether the
/// category is one of the ten in the training set of the challenge of 2017 (`yes`, `no`). Throws FileError that begins with
/// `source_name`: a set is a folder of files.
void read_webnlg(Table& table, std::string_view content, const std::string& source_name, LanguageFilter& languages);

/// DART's JSON: triples as `subject : relation : object` joined by ` | `, the relation in lower case. Also `corpus`, where the text
/// comes from. Throws FileError.
void read_dart(Table& table, std::string_view content);

}  // namespace preamble
