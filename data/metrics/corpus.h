// Hypotheses with their references: what every generation metric scores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace preamble::metrics {

/// One hypothesis and its references (at least one).
struct Instance {
  std::string hypothesis;
  std::vector<std::string> references;
};

/// Instances in the order of the hypotheses.
using Corpus = std::vector<Instance>;

/// Throws Error unless `corpus` has an instance and every instance a reference; `metric` begins the message.
void require_scorable(const Corpus& corpus, std::string_view metric);

/// The corpus without empty references: an empty line says that the item has fewer of them. An item that has no others keeps one.
[[nodiscard]] Corpus without_empty_references(const Corpus& corpus);

/// The lines of a text file without their ends (LF or CRLF) and without a byte-order mark. Throws FileError.
[[nodiscard]] std::vector<std::string> read_lines(const std::filesystem::path& path);

/// How plain-text references lie in their files.
enum class ReferenceLayout : std::uint8_t {
  /// Several files, or one with as many lines as hypotheses: `lines`; otherwise `groups`.
  automatic,
  /// Line k of every file is a reference of hypothesis k. An empty line is an empty reference: see `without_empty_references`.
  lines,
  /// One file: the references of one hypothesis on lines of their own, a blank line between hypotheses.
  groups,
};

/// Reads hypotheses and references.
///
/// Plain text (any extension but .tsv and .csv) has one hypothesis a line. TSV and CSV are read as the E2E scorer does:
/// header columns by name (mr, source, ... and ref, output, ...; without a header two columns), common encoding damage
/// repaired, references grouped by meaning representation and looked up in the order of the hypotheses; if these are
/// plain text, references are grouped by consecutive equal meaning representations. A file whose every row wraps both
/// columns in single quotes loses them.
///
/// Throws FileError for files that cannot be read, malformed rows, and numbers of hypotheses and references that disagree.
[[nodiscard]] Corpus read_corpus(const std::filesystem::path& hypotheses, const std::vector<std::filesystem::path>& references,
                                 ReferenceLayout layout = ReferenceLayout::automatic);

/// The same for hypotheses without sources that have been read already, from `name`.
[[nodiscard]] Corpus read_corpus(std::vector<std::string> hypotheses, const std::filesystem::path& name,
                                 const std::vector<std::filesystem::path>& references, ReferenceLayout layout = ReferenceLayout::automatic);

}  // namespace preamble::metrics
