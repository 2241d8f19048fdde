// Porter's stemmer for English.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace preamble::metrics {

/// `nltk`: with NLTK's extensions (a table of irregular forms, words of one or two letters unchanged, `ies` and `ied` in
/// words of four letters, y to i only after a consonant, `fulli`, `bli`, `logi`); what rouge_score stems with.
/// `original`: the published algorithm; what ROUGE-1.5.5 stems with.
enum class PorterVariant : std::uint8_t { nltk, original };

/// The stem of a lower-case word (Porter 1980, "An algorithm for suffix stripping"). Characters other than a-z count as
/// consonants.
[[nodiscard]] std::string porter_stem(std::string_view word, PorterVariant variant);

}  // namespace preamble::metrics
