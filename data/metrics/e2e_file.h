// The delimited files of the E2E scorer: meaning representations with texts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace preamble::metrics {

/// One row: a meaning representation and a text (a system output or a reference).
struct E2eRow {
  std::string source;
  std::string text;
};

/// True for .tsv and .csv, whatever their case.
[[nodiscard]] bool is_delimited(const std::filesystem::path& path);

/// Reads rows as the E2E scorer does: lines stripped, empty ones dropped, `Ł` and `Â£` repaired to `£`, `Ã©` and `ã©` to
/// `é`; a tab as delimiter if the first line has one, else a comma; double quotes as in CSV. Columns by header names (mr,
/// src, source, meaning..., da, dialogue act; out, output, ref, reference, sys, system), or two columns without a header.
/// Single quotes round both columns of every row are removed. Throws FileError with the line for what does not fit.
[[nodiscard]] std::vector<E2eRow> read_e2e_file(const std::filesystem::path& path);

}  // namespace preamble::metrics
