// The tokenisers of the NIST evaluation programs, which the BLEU family scores with.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/metrics/ngrams.h"

namespace preamble::metrics {

/// mteval-v13a (also sacreBLEU's `13a`): deletes `<skipped>` and hyphen-newline, makes newlines spaces, unescapes &quot;
/// &amp; &lt; &gt;, puts spaces round ASCII punctuation except ' , - . and splits off periods and commas that are not
/// between digits and hyphens after a digit. Keeps the case.
[[nodiscard]] Tokens mteval_tokens(std::string_view text);

/// The two implementations inside the E2E scorer: mteval-v13a.pl (published scores) and its Python twin. They differ in
/// lower-casing (ASCII, Unicode), in how BLEU takes orders without hits and outputs shorter than an order, and in NIST's
/// reference length.
enum class MtevalProgram : std::uint8_t { perl, python };

/// `mteval_tokens` in lower case, as `program` has it.
[[nodiscard]] Tokens lowercased_mteval_tokens(std::string_view text, MtevalProgram program);

/// mteval-v14's international tokeniser as sacreBLEU has it (`intl`): punctuation that is not between numbers is split
/// off, symbols always are. A number with a period at the end of the text stays joined.
[[nodiscard]] Tokens international_tokens(std::string_view text);

}  // namespace preamble::metrics
