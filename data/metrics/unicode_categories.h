// Two general categories of Unicode 17, for the international BLEU tokeniser.
#pragma once

namespace preamble::metrics {

/// General category P: connectors, dashes, brackets, quotes and other punctuation.
[[nodiscard]] bool is_punctuation(char32_t c) noexcept;

/// General category S: signs of mathematics and currency, modifiers and other symbols.
[[nodiscard]] bool is_symbol(char32_t c) noexcept;

}  // namespace preamble::metrics
