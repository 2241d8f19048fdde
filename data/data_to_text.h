// Data sets that say records in words, linearised as Li and Liang (2021) do: E2E, WebNLG, DART.
#pragma once

#include <string>
#include <string_view>

#include "data/table.h"

namespace preamble {

/// `name[The Mill], eatType[pub], area[riverside]` as `name : The Mill | Type : pub | area : riverside`. `where` begins the message of
/// the FileError for anything else.
[[nodiscard]] std::string linearised_e2e(std::string_view mr, const std::string& where);

// Each appends a row for every text. Their columns: `source`, the linearised record; `target`, absent in files without texts.

/// E2E's CSV with the columns `mr` and, unless it is to be answered, `ref` (whatever their case), which are kept.
/// Throws FileError as `read_delimited`, and for malformed records.
void read_e2e(Table& table, std::string_view content);

/// WebNLG's XML, or its JSON (`{"entries": [{"1": {...}}]}`). A source is `| subject : property : object` for each triple of
/// `modifiedtripleset`. Texts that are not marked good are left out. Also `entry`, `category`, `size`, and `seen`: whether the
/// category is one of the ten in the training set of the challenge of 2017 (`yes`, `no`). Throws FileError that begins with
/// `source_name`: a set is a folder of files.
void read_webnlg(Table& table, std::string_view content, const std::string& source_name);

/// DART's JSON: triples as `subject : relation : object` joined by ` | `, the relation in lower case. Also `corpus`, where the text
/// comes from. Throws FileError.
void read_dart(Table& table, std::string_view content);

}  // namespace preamble
